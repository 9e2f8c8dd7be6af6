import type { Overview } from '@manypath/core';
import type { Choice } from './choice.ts';

/**
 * Shows in the toolbar how many paths are in use: a number, nothing while it is switched off, `!` while no gateway answers.
 *
 * @param overview `undefined`: no gateway answers.
 */
export async function showBadge({ multipath }: Choice, overview: Overview | undefined): Promise<void> {
  const text = badgeText(multipath, overview);
  await chrome.action.setBadgeText({ text });
  await chrome.action.setBadgeBackgroundColor({ color: text === '!' ? '#b3261e' : '#0b57d0' });
  await chrome.action.setTitle({ title: titleFor(text) });
}

export function badgeText(multipath: boolean, overview: Pick<Overview, 'multipath'> | undefined): string {
  if (!multipath) return '';
  return overview === undefined ? '!' : String(overview.multipath.paths.length);
}

function titleFor(text: string): string {
  if (text === '') return 'Manypath: off';
  if (text === '!') return 'Manypath: the gateway is not running';
  return `Manypath: ${text} ${text === '1' ? 'path' : 'paths'} in use`;
}
