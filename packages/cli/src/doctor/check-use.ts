import type { MultipathUse } from '@manypath/core';
import { bad, type Finding, good, note } from './finding.ts';

/** How the gateway that runs uses the paths, in its own words; what other findings say as well is a note here. */
export function checkUse({ reason, text, command }: MultipathUse): Finding {
  switch (reason) {
    case 'multipath':
    case 'no-relay':
      return good('use', `the gateway: ${text}`);
    case 'relay-plain':
      return bad(
        'use',
        `the gateway: ${text}`,
        'see what manypath relay says at its start; or let it listen on port 443',
      );
    case 'relay-away':
      return bad('use', `the gateway: ${text}`, 'see whether the relay runs, and whether its port is open');
    case 'one-subflow':
      return note('use', `the gateway: ${text}`, 'see the findings about the paths, or load something large');
    default:
      return note(
        'use',
        `the gateway: ${text}`,
        command ?? 'see the findings about this kernel and the paths',
      );
  }
}
