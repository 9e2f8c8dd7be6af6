import { describe, expect, it } from 'vitest';
import { chromiumArguments, switchValue } from '../../src/browser/chromium-arguments.ts';

const base = {
  proxy: { host: '192.0.2.2', port: 8118 },
  bypass: '<local>;*.lan',
  profile: '/tmp/profile',
  headless: false,
  root: false,
  url: 'https://example.org/',
  extra: [],
};

describe('the command line of the browser', () => {
  it('sets proxy, bypass and profile, turns QUIC off, and ends with the page', () => {
    expect(chromiumArguments(base)).toEqual([
      '--user-data-dir=/tmp/profile',
      '--no-first-run',
      '--no-default-browser-check',
      '--proxy-server=http://192.0.2.2:8118',
      '--proxy-bypass-list=<local>;*.lan',
      '--disable-quic',
      'https://example.org/',
    ]);
  });

  it('gives up the sandbox for root only', () => {
    expect(chromiumArguments(base)).not.toContain('--no-sandbox');
    expect(chromiumArguments({ ...base, root: true })).toContain('--no-sandbox');
  });

  it('declares what comes through a loopback proxy public', () => {
    const v4 = chromiumArguments({ ...base, proxy: { host: '127.0.0.1', port: 1 } });
    expect(switchValue(v4, '--ip-address-space-overrides')).toBe('127.0.0.1:1=public');
    const v6 = chromiumArguments({ ...base, proxy: { host: '::1', port: 2 } });
    expect(switchValue(v6, '--proxy-server')).toBe('http://[::1]:2');
    expect(switchValue(v6, '--ip-address-space-overrides')).toBe('[::1]:2=public');
  });

  it('lets a switch of the user replace ours', () => {
    const extra = ['--user-data-dir=/home/u/p', '--headless=old', '--proxy-bypass-list=x', '--disable-quic'];
    const all = chromiumArguments({ ...base, headless: true, extra });
    for (const argument of extra) expect(all).toContain(argument);
    for (const name of ['--user-data-dir', '--headless', '--proxy-bypass-list', '--disable-quic']) {
      expect(all.filter(argument => argument.split('=')[0] === name)).toHaveLength(1);
    }
  });

  it('joins lists of features and address spaces, of which Chromium reads the last only', () => {
    const all = chromiumArguments({
      ...base,
      proxy: { host: '127.0.0.1', port: 1 },
      extra: [
        '--enable-features=A,B',
        '--disable-features=X',
        '--enable-features=C,A',
        '--ip-address-space-overrides=10.0.0.1:80=public',
      ],
    });
    expect(all.filter(argument => argument.startsWith('--enable-features='))).toEqual([
      '--enable-features=A,B,C',
    ]);
    expect(all.filter(argument => argument.startsWith('--disable-features='))).toEqual([
      '--disable-features=X',
    ]);
    expect(switchValue(all, '--ip-address-space-overrides')).toBe('127.0.0.1:1=public,10.0.0.1:80=public');
  });

  it('is searched for the value that counts', () => {
    expect(switchValue(['--a=1', '--a=2', '--ab=3'], '--a')).toBe('2');
    expect(switchValue(['--remote-debugging-pipe'], '--remote-debugging-pipe')).toBe('');
    expect(switchValue(['--remote-debugging-pipe=cbor'], '--remote-debugging-pipe')).toBe('cbor');
    expect(switchValue(['--remote-debugging-pipes'], '--remote-debugging-pipe')).toBe(undefined);
  });
});
