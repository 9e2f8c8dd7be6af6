/** The least that a client may ask for: with less, every round trip would be waited for. */
const leastBytes = 65_536;

/** What a client wants to be kept of each tunnel at most; `undefined` when it does not say, or not in a way that can be understood. */
export function aheadOf(field: string | readonly string[] | undefined): number | undefined {
  if (typeof field !== 'string' || !/^\d{1,10}$/.test(field)) return undefined;
  return Math.max(leastBytes, Number(field));
}
