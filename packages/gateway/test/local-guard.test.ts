import { SimulatedClock } from '@manypath/core';
import { describe, expect, it } from 'vitest';
import { LocalGuard, type LocalGuardOptions } from '../src/local-guard.ts';
import { LocalNames } from '../src/local-names.ts';
import { LocalNetworks } from '../src/local-networks.ts';

const guard = (options: Partial<LocalGuardOptions>) =>
  new LocalGuard({
    protectLocal: false,
    localNames: new LocalNames(['own.example']),
    localNetworks: new LocalNetworks(new SimulatedClock()),
    isInHosts: async name => name === 'hosts.example' || name === 'new.example',
    isNewInHosts: async name => name === 'new.example',
    translators: async () => [],
    ...options,
  });

/** Which of these a name may lead to. */
async function allowed(options: Partial<LocalGuardOptions>, host: string): Promise<string[]> {
  const refusal = await guard(options).refusalFor(host, undefined);
  return ['127.0.0.1', '::', '10.9.9.9', '198.18.0.1', '93.184.215.14'].filter(
    address => refusal?.(address) === undefined,
  );
}

describe('where names may lead', () => {
  it.each([
    ['a name of the public DNS', 'a.example', ['10.9.9.9', '198.18.0.1', '93.184.215.14']],
    [
      'a name of the hosts file',
      'hosts.example',
      ['127.0.0.1', '::', '10.9.9.9', '198.18.0.1', '93.184.215.14'],
    ],
    ['a name of the user', 'own.example', ['127.0.0.1', '::', '10.9.9.9', '198.18.0.1', '93.184.215.14']],
    ['localhost', 'localhost', ['127.0.0.1', '::', '10.9.9.9', '198.18.0.1', '93.184.215.14']],
  ])('%s, for any program', async (_, host, expected) => {
    expect(await allowed({ protectLocal: false }, host)).toEqual(expected);
  });

  it.each([
    ['a name of the public DNS', 'a.example', ['93.184.215.14']],
    // The browser was to resolve it itself where it leads to a local network.
    ['a name of the hosts file', 'hosts.example', ['198.18.0.1', '93.184.215.14']],
    // It could not be told of it any more.
    [
      'a name that came into the hosts file later',
      'new.example',
      ['127.0.0.1', '10.9.9.9', '198.18.0.1', '93.184.215.14'],
    ],
    ['a name of the user', 'own.example', ['127.0.0.1', '::', '10.9.9.9', '198.18.0.1', '93.184.215.14']],
    ['an address itself, behind a router', '10.9.9.9', ['10.9.9.9', '198.18.0.1', '93.184.215.14']],
  ])('%s, for a browser', async (_, host, expected) => {
    expect(await allowed({ protectLocal: true }, host)).toEqual(expected);
  });
});
