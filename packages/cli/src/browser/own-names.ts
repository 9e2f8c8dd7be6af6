import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { addressScope } from '@manypath/core';
import { parseHosts, parseInterfaceDomains, systemNamePlaces } from '@manypath/paths';
import { browserLimits } from './limits.ts';
import { isLocalAddress } from './local-destinations.ts';

/** What this machine knows of names that the public DNS does not, or knows otherwise. */
export interface OwnNames {
  /** Names of the hosts file that lead to this machine or a local network; so the browser has to resolve them itself. */
  readonly hosts: readonly string[];
  /** Domains that the servers of some network answer for (split DNS). */
  readonly domains: readonly string[];
}

/** Reads the hosts file, and what systemd-resolved and systemd-networkd were told; what is not there has no names. */
export function readOwnNames({ hosts, domains = [] } = systemNamePlaces): OwnNames {
  const folders = domains.flatMap(folder => namesIn(folder).map(name => join(folder, name)));
  return {
    hosts: localHosts(textOf(hosts)),
    domains: folders.flatMap(file => parseInterfaceDomains(textOf(file))),
  };
}

/** Entries that lead nowhere (`0.0.0.0`), as lists against advertisements have them by the thousand, are left out. */
function localHosts(text: string): string[] {
  const found = [...parseHosts(text)].filter(([name, addresses]) => {
    const leads = addresses.some(address => addressScope(address) !== 'unspecified');
    return name.includes('.') && leads && addresses.every(isLocalAddress);
  });
  return found.map(([name]) => name).slice(0, browserLimits.hostsNames);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).slice(0, browserLimits.localNamePatterns);
  } catch {
    return [];
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
