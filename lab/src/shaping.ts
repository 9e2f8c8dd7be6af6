import { labLimits } from './limits.ts';
import type { LinkShape } from './plan.ts';

/** What delays, varies and loses packets: the kernel's netem, or a process of the lab on a wire in between. */
export type DelayEngine = 'netem' | 'wire';

/** One direction of a link. */
interface Direction {
  rateMbit: number | null;
  delayMs: number;
  jitterMs: number;
  lossPercent: number;
}

/**
 * Lines for `tc -batch` that give `device` this shape. Those that begin with `qdisc replace` may follow any other
 * shape; before the others, what the device has must be deleted.
 */
export function shapeLines(device: string, direction: Direction, engine: DelayEngine): string[] {
  const { rateMbit } = direction;
  if (engine === 'netem' && impaired(direction)) {
    // The bottleneck comes after the delay, so that its queue is counted in bytes and not in what is in flight.
    const bottleneck =
      rateMbit === null ? [] : [`qdisc add dev ${device} parent 1:1 handle 20: ${tbf(rateMbit)}`];
    return [`qdisc add dev ${device} root handle 1: ${netem(direction)}`, ...bottleneck];
  }
  return rateMbit === null ? [] : [`qdisc replace dev ${device} root handle 10: ${tbf(rateMbit)}`];
}

/** Whether packets are delayed or lost on purpose. */
export function impaired(direction: Pick<Direction, 'delayMs' | 'jitterMs' | 'lossPercent'>): boolean {
  return direction.delayMs > 0 || direction.jitterMs > 0 || direction.lossPercent > 0;
}

/** A shape as seen from the router (towards the client) or from the client. */
export function directionOf(
  shape: LinkShape,
  towards: 'client' | 'router',
  extraLossPercent: number,
): Direction {
  return {
    rateMbit: towards === 'client' ? shape.rateMbit : shape.uploadMbit,
    delayMs: shape.delayMs,
    jitterMs: shape.jitterMs,
    lossPercent: Math.min(100, shape.lossPercent + extraLossPercent),
  };
}

function tbf(rateMbit: number): string {
  const bytesPerMs = (rateMbit * 1e6) / 8 / 1000;
  const burst = Math.round(
    Math.min(labLimits.burstMaxBytes, Math.max(labLimits.burstMinBytes, bytesPerMs * labLimits.burstMs)),
  );
  const queue = Math.round(Math.max(labLimits.queueMinBytes, bytesPerMs * labLimits.queueMs));
  return `tbf rate ${Math.round(rateMbit * 1e6)}bit burst ${burst} limit ${burst + queue}`;
}

function netem({ delayMs, jitterMs, lossPercent }: Direction): string {
  const parts = [`netem limit ${labLimits.delayQueuePackets}`];
  if (delayMs > 0 || jitterMs > 0) parts.push(`delay ${delayMs}ms${jitterMs > 0 ? ` ${jitterMs}ms` : ''}`);
  if (lossPercent > 0) parts.push(`loss random ${lossPercent}%`);
  return parts.join(' ');
}
