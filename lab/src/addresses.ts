import { linkSubnet, serverSubnet } from './plan.ts';
import type { LabRecord } from './state.ts';

/** The addresses of a lab; the `6` are IPv6. A and B are the first two links. */
export interface LabAddresses {
  clientA: string;
  clientA6: string;
  clientB: string;
  clientB6: string;
  gatewayA: string;
  gatewayA6: string;
  gatewayB: string;
  gatewayB6: string;
  relay: string;
  relay6: string;
  origin: string;
  origin6: string;
  originMptcp: string;
  originMptcp6: string;
}

/** The addresses of a recorded lab. */
export function addressesOf(record: LabRecord): LabAddresses {
  const [a, b] = record.links;
  const first = linkSubnet(a?.index ?? 1, a?.host);
  const second = linkSubnet(b?.index ?? 2, b?.host);
  const relay = serverSubnet('relay');
  const origin = serverSubnet('origin');
  const originMptcp = serverSubnet('originMptcp');
  return {
    clientA: first.address,
    clientA6: first.address6,
    clientB: second.address,
    clientB6: second.address6,
    gatewayA: first.gateway,
    gatewayA6: first.gateway6,
    gatewayB: second.gateway,
    gatewayB6: second.gateway6,
    relay: relay.address,
    relay6: relay.address6,
    origin: origin.address,
    origin6: origin.address6,
    originMptcp: originMptcp.address,
    originMptcp6: originMptcp.address6,
  };
}
