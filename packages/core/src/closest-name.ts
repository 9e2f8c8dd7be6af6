/** How many letters may be wrong, at most, for a name to be taken for another one. */
const mostWrong = 3;

/** The name that was probably meant, of those that there are; `undefined` when none is like it. */
export function closestName(name: string, known: readonly string[]): string | undefined {
  // Far longer than any name: not worth the time.
  if (name.length > 100) return undefined;
  const distances = known.map(other => ({
    other,
    distance: editDistance(name.toLowerCase(), other.toLowerCase()),
  }));
  const [best] = distances.sort((one, two) => one.distance - two.distance);
  const most = Math.min(mostWrong, Math.floor(name.length / 2));
  return best !== undefined && best.distance <= most ? best.other : undefined;
}

/** Letters to add, take away, change or swap with the next one (optimal string alignment). */
function editDistance(one: string, other: string): number {
  let before: number[] = [];
  let last = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (let row = 1; row <= one.length; row++) {
    const line = [row];
    for (let column = 1; column <= other.length; column++) {
      const same = one[row - 1] === other[column - 1];
      const at = (cells: readonly number[], index: number): number =>
        cells[index] ?? Number.POSITIVE_INFINITY;
      const swapped = one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      line.push(
        Math.min(
          at(last, column) + 1,
          at(line, column - 1) + 1,
          at(last, column - 1) + (same ? 0 : 1),
          swapped ? at(before, column - 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
    before = last;
    last = line;
  }
  return last[other.length] ?? 0;
}
