import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  classifyProxyRequest,
  formatAuthority,
  type HeaderField,
  type HttpRequestHead,
  ProxyRequestError,
} from '../src/index.ts';
import { searchBriefly } from './support/pieces.ts';

function head(method: string, target: string, headers: HeaderField[] = [['Host', 'a']]): HttpRequestHead {
  return { method, target, version: '1.1', headers };
}

describe('a request to a proxy', () => {
  it('with CONNECT asks for a tunnel', () => {
    expect(classifyProxyRequest(head('CONNECT', 'example.org:443'))).toEqual({
      kind: 'connect',
      authority: { host: 'example.org', port: 443 },
    });
    expect(classifyProxyRequest(head('CONNECT', '[::1]:80'))).toEqual({
      kind: 'connect',
      authority: { host: '::1', port: 80 },
    });
  });

  const forwarded: [
    method: string,
    target: string,
    host: string,
    port: number,
    path: string,
    field: string,
  ][] = [
    ['GET', 'http://example.org/', 'example.org', 80, '/', 'example.org'],
    ['GET', 'HTTP://Example.org/a/b?c=d', 'Example.org', 80, '/a/b?c=d', 'Example.org'],
    ['POST', 'http://example.org:8080/a', 'example.org', 8080, '/a', 'example.org:8080'],
    ['GET', 'http://example.org', 'example.org', 80, '/', 'example.org'],
    ['GET', 'http://example.org?a=b', 'example.org', 80, '/?a=b', 'example.org'],
    ['GET', 'http://[2001:db8::1]:81/', '2001:db8::1', 81, '/', '[2001:db8::1]:81'],
    ['GET', 'http://user:password@example.org/', 'example.org', 80, '/', 'example.org'],
    ['GET', 'http://example.org/@/http://b/', 'example.org', 80, '/@/http://b/', 'example.org'],
    ['OPTIONS', 'http://example.org', 'example.org', 80, '*', 'example.org'],
    ['OPTIONS', 'http://example.org?a', 'example.org', 80, '/?a', 'example.org'],
    ['connect', 'http://example.org/', 'example.org', 80, '/', 'example.org'],
  ];
  for (const [method, target, host, port, path, field] of forwarded) {
    it(`with ${method} ${target} is to be passed on`, () => {
      expect(classifyProxyRequest(head(method, target))).toEqual({
        kind: 'forward',
        authority: { host, port },
        path,
        host: field,
      });
    });
  }

  it('that names no other server is for the proxy itself', () => {
    expect(classifyProxyRequest(head('GET', '/a?b'))).toEqual({ kind: 'origin-form', path: '/a?b' });
    expect(classifyProxyRequest(head('GET', '//b/'))).toEqual({ kind: 'origin-form', path: '//b/' });
    expect(classifyProxyRequest(head('OPTIONS', '*'))).toEqual({ kind: 'origin-form', path: '*' });
  });

  const refused: [method: string, target: string][] = [
    ['CONNECT', 'example.org'],
    ['CONNECT', 'example.org:'],
    ['CONNECT', 'example.org:0'],
    ['CONNECT', 'http://example.org:443'],
    ['CONNECT', 'http://example.org/'],
    ['CONNECT', '/'],
    ['CONNECT', '*'],
    ['CONNECT', 'user@example.org:443'],
    ['CONNECT', '::1:443'],
    ['GET', 'example.org'],
    ['GET', 'example.org:80'],
    ['GET', 'http:/example.org'],
    ['GET', 'http:example.org'],
    ['GET', 'http://'],
    ['GET', 'http:///a'],
    ['GET', 'http://:80/'],
    ['GET', 'http://@/'],
    ['GET', 'http://a@b@c/'],
    ['GET', 'http://a\\@b/'],
    ['GET', 'http://example.org:0/'],
    ['GET', 'http://example.org:99999/'],
    ['GET', 'http://[::1/'],
    ['GET', 'http://a\\b/'],
    ['GET', 'https://example.org/'],
    ['GET', 'wss://example.org/'],
    ['GET', 'file:///etc/passwd'],
    ['GET', ''],
  ];
  for (const [method, target] of refused) {
    it(`with ${method} ${JSON.stringify(target)} is refused with 400`, () => {
      expect(() => classifyProxyRequest(head(method, target))).toThrow(
        expect.objectContaining({ code: 'MANYPATH_PROXY_REQUEST_INVALID', status: 400 }) as Error,
      );
    });
  }

  it('for another scheme is told how it can be reached', () => {
    expect(() => classifyProxyRequest(head('GET', 'https://example.org/'))).toThrow(
      expect.objectContaining({ hint: 'ask for https:// with CONNECT' }) as Error,
    );
  });

  it.each([
    ['http://example.org/a?b#c', '/a?b'],
    ['http://example.org#c', '/'],
    ['http://example.org/#a#b', '/'],
    ['http://example.org?a#/b', '/?a'],
  ])('for %s is passed on without the fragment', (target, path) => {
    expect(classifyProxyRequest(head('GET', target))).toMatchObject({ path, host: 'example.org' });
  });

  it('has one Host; CONNECT and HTTP/1.0 may lack it', () => {
    const twice: HeaderField[] = [
      ['Host', 'a'],
      ['hOST', 'a'],
    ];
    expect(() => classifyProxyRequest(head('GET', 'http://a/', twice))).toThrow('more than one Host');
    expect(() => classifyProxyRequest(head('CONNECT', 'a:1', twice))).toThrow('more than one Host');
    expect(() => classifyProxyRequest(head('GET', 'http://a/', []))).toThrow('no Host');
    expect(classifyProxyRequest(head('CONNECT', 'a:1', []))).toMatchObject({ kind: 'connect' });
    expect(classifyProxyRequest({ ...head('GET', 'http://a/', []), version: '1.0' })).toMatchObject({
      kind: 'forward',
    });
  });

  it('goes where a browser would go, or nowhere', () => {
    const target = fc
      .tuple(
        fc.constantFrom('http://', 'HTTP://', 'http:/', ''),
        fc.string({ unit: fc.constantFrom(...'ab1.:@[]-/?#\\%2'), maxLength: 20 }),
      )
      .map(parts => parts.join(''));
    fc.assert(
      fc.property(target, text => {
        let request: ReturnType<typeof classifyProxyRequest>;
        try {
          request = classifyProxyRequest(head('GET', text));
        } catch (error) {
          expect(error).toBeInstanceOf(ProxyRequestError);
          return;
        }
        if (request.kind !== 'forward' || !URL.canParse(text)) return;
        const { hostname, port } = new URL(text);
        // Numbers and short forms are addresses to a browser; here they stay as they are, for who looks them up.
        if (/^[\d.]+$/.test(hostname)) return;
        const { host } = request.authority;
        expect(new URL(`http://${formatAuthority({ host, port: 1 })}`).hostname).toBe(hostname);
        expect(request.authority.port).toBe(port === '' ? 80 : Number(port));
      }),
      searchBriefly,
    );
  });
});
