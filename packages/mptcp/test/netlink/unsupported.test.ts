import { afterEach, beforeEach, expect, test, vi } from 'vitest';

const platform = Object.getOwnPropertyDescriptor(process, 'platform') as PropertyDescriptor;

beforeEach(() => {
  vi.resetModules();
  Object.defineProperty(process, 'platform', { ...platform, value: 'darwin' });
});

afterEach(() => {
  Object.defineProperty(process, 'platform', platform);
  vi.resetModules();
});

test('on another system everything can be imported, and says that it is not there when it is called', async () => {
  const { DiagReader, diag, PathManager, RouteSocket, socketOwnerUid } = await import(
    '../../src/netlink/index.ts'
  );
  const end = { address: '127.0.0.1', port: 1 };
  for (const call of [
    () => RouteSocket.open(),
    () => RouteSocket.open({ namespace: 'nowhere' }),
    () => PathManager.open(),
    () => DiagReader.open(),
    () => diag(),
    () => socketOwnerUid(end, end),
  ]) {
    expect(call).toThrow(
      expect.objectContaining({
        code: 'MPTCP_NETLINK_UNSUPPORTED',
        message: expect.stringContaining('darwin'),
        hint: expect.stringContaining('Linux'),
      }),
    );
  }
});
