import { parsePairing } from '@manypath/core';
import { type Relay, type RelayOptions, startRelay } from '@manypath/relay';
import { closedPort } from './origins.ts';
import { afterThisTest, temporaryFolder } from './scope.ts';
import { StandInLink } from './stand-in-link.ts';

const toLoopback = async () => [{ address: '127.0.0.1', family: 4 }];

/** A relay, and a link that leads to it: what a pairing names is the link. */
export async function relayBehindLink(options: Partial<RelayOptions> = {}) {
  const address = { host: '127.0.0.1', port: await closedPort() };
  const stateDir = temporaryFolder();
  const start = (otherwise: Partial<RelayOptions> = {}) =>
    startRelay({
      listen: address,
      publicHost: address,
      stateDir,
      allowPrivate: true,
      lookup: toLoopback,
      ...options,
      ...otherwise,
    });
  const relay: Relay = await start();
  afterThisTest(() => relay.close(0));
  const link = await StandInLink.to(address);
  const pairing = { ...parsePairing(relay.pairing), address: { host: '127.0.0.1', port: link.port } };
  return {
    relay,
    link,
    pairing,
    /** Starts it once more, with the same pairing, when it was closed. */
    async again(otherwise?: Partial<RelayOptions>): Promise<Relay> {
      const next = await start(otherwise);
      afterThisTest(() => next.close(0));
      return next;
    },
  };
}
