import { it } from 'vitest';
import { tunnelTo } from './support/client.ts';
import { echoOrigin } from './support/origins.ts';
import { startGateway, until } from './support/scope.ts';
import { StandInRelay } from './support/stand-in-relay.ts';
it('x', async () => {
  const relay = await StandInRelay.start();
  const gateway = await startGateway({ relay: relay.pairing });
  await until(() => gateway.status().relay?.state === 'ready');
  const echo = await echoOrigin();
  const open = await tunnelTo(gateway.proxy, { host: 'echo.example', port: echo.port });
  for (const e of ['end', 'error', 'close']) open.on(e, x => console.log('client', e, x));
  open.resume();
  console.log('kill');
  void relay.kill().then(() => console.log('killed'));
  await new Promise(r => setTimeout(r, 1000));
  console.log(JSON.stringify(gateway.status()));
  console.log(relay.sockets.size, relay.sessions.size);
});
