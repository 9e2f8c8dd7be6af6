import { describe, expect, it } from 'vitest';
import {
  isGranted,
  isGrantHost,
  isOrigin,
  localPlaceOf,
  needsLocal,
} from '../../src/streams/stream-grants.ts';

describe('where a host is', () => {
  it.each([
    ['localhost', 'this computer'],
    ['LOCALHOST.', 'this computer'],
    ['a.localhost', 'this computer'],
    ['127.0.0.53', 'this computer'],
    ['[::1]', 'this computer'],
    ['0.0.0.0', 'this computer'],
    ['::ffff:127.0.0.1', 'this computer'],
    ['10.1.2.3', 'a private network'],
    ['192.168.1.1', 'a private network'],
    ['fe80::1%wlan0', 'a private network'],
    ['fd00::1', 'a private network'],
    ['nas', 'a private network'],
    ['printer.local', 'a private network'],
    ['169.254.169.254', 'a metadata service'],
    ['metadata.google.internal', 'a metadata service'],
    ['example.org', undefined],
    ['192.0.9.1', undefined],
    ['2606:4700::1', undefined],
  ])('of %s is %s', (host, place) => {
    expect(localPlaceOf(host)).toBe(place);
    expect(needsLocal({ host, port: 1 })).toBe(place !== undefined);
  });
});

describe('a grant', () => {
  const grant = { origin: 'https://app.example', host: '*.chat.example', port: 6697 };
  const allows = (
    more: object,
    wish: { host: string; port?: number; local?: boolean },
    origin = grant.origin,
  ) => isGranted({ ...grant, ...more }, origin, { port: grant.port, ...wish });

  it('is for one origin, one port, and the hosts that it names', () => {
    expect(allows({}, { host: 'irc.chat.example' })).toBe(true);
    expect(allows({}, { host: 'IRC.Chat.Example.' })).toBe(true);
    expect(allows({}, { host: 'chat.example' })).toBe(false);
    expect(allows({}, { host: 'evilchat.example' })).toBe(false);
    expect(allows({}, { host: 'irc.chat.example', port: 22 })).toBe(false);
    expect(allows({}, { host: 'irc.chat.example' }, 'http://app.example')).toBe(false);
    expect(allows({}, { host: 'irc.chat.example' }, 'https://app.example:444')).toBe(false);
    expect(allows({ host: 'chat.example' }, { host: 'a.chat.example' })).toBe(false);
  });

  it('is for hosts of this computer and its networks only if it says so', () => {
    expect(allows({ host: '127.0.0.1' }, { host: '127.0.0.1' })).toBe(false);
    expect(allows({ host: '127.0.0.1', local: true }, { host: '127.0.0.1' })).toBe(true);
    expect(allows({ host: 'a.example' }, { host: 'a.example', local: true })).toBe(false);
    expect(allows({ host: 'a.example', local: true }, { host: 'a.example' })).toBe(true);
  });

  it('names hosts of a domain at least', () => {
    const hosts = [
      'example.org',
      '*.example.org',
      '10.0.0.1',
      '[::1]',
      'nas',
      '*',
      '*.org',

      'a b',
      '',
    ];
    expect(hosts.filter(isGrantHost)).toEqual(['example.org', '*.example.org', '10.0.0.1', '[::1]', 'nas']);
  });
});

describe('an origin', () => {
  it('is a scheme and a host, no page and nobody', () => {
    const texts = [
      'https://a.example',
      'http://127.0.0.1:8000',
      'https://a.example/',
      'null',
      '*',
      'https://x@y',
    ];
    expect(texts.filter(isOrigin)).toEqual(['https://a.example', 'http://127.0.0.1:8000']);
  });
});
