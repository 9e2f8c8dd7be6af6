/** What the choice of a lane looks at. */
export interface LaneLoad {
  readonly state: 'ready' | 'suspect' | 'draining' | 'closed';
  readonly streams: number;
  readonly capacity: number;
  /** Bytes a second lately. */
  readonly rate: number;
}

/**
 * The lane for a new tunnel: one that answers, has no bulk transfer on it, and carries the fewest tunnels.
 *
 * @returns `undefined` when no lane takes another tunnel.
 */
export function chooseLane<L extends LaneLoad>(lanes: readonly L[], bulkRate: number): L | undefined {
  let best: L | undefined;
  for (const lane of lanes) {
    if (takesMore(lane) && (best === undefined || isBetter(lane, best, bulkRate))) best = lane;
  }
  return best;
}

/** Whether a new tunnel would have to share its lane with a bulk transfer, or finds none that answers. */
export function needsAnotherLane(lanes: readonly LaneLoad[], bulkRate: number): boolean {
  return !lanes.some(lane => lane.state === 'ready' && takesMore(lane) && lane.rate < bulkRate);
}

function takesMore(lane: LaneLoad): boolean {
  return (lane.state === 'ready' || lane.state === 'suspect') && lane.streams < lane.capacity;
}

function isBetter(lane: LaneLoad, other: LaneLoad, bulkRate: number): boolean {
  if (lane.state !== other.state) return lane.state === 'ready';
  const bulk = lane.rate >= bulkRate;
  if (bulk !== other.rate >= bulkRate) return !bulk;
  if (lane.streams !== other.streams) return lane.streams < other.streams;
  return lane.rate < other.rate;
}
