import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { FairQueue } from '../src/fair-queue.ts';

const member = (peer: string, name: string) => ({ peer, name });

function drain(queue: FairQueue<{ peer: string; name: string }>): string[] {
  const names: string[] = [];
  for (let next = queue.next(); next !== undefined; next = queue.next()) names.push(next.name);
  return names;
}

it('lets addresses take turns, and of one address the one that came last', () => {
  const queue = new FairQueue<{ peer: string; name: string }>();
  for (const name of ['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'c1']) queue.add(member(name.charAt(0), name));
  expect(drain(queue)).toEqual(['a4', 'b2', 'c1', 'a3', 'b1', 'a2', 'a1']);
});

it('serves one address before another has had two more turns, whoever comes and goes', () => {
  const step = fc.record({
    peer: fc.constantFrom('a', 'b', 'c'),
    does: fc.constantFrom('add', 'remove', 'next'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const queue = new FairQueue<{ peer: string; name: string }>();
      const waiting = new Set<{ peer: string; name: string }>();
      const turnsWithout = new Map<string, number>();
      for (const [at, { peer, does }] of steps.entries()) {
        const known = [...waiting].filter(other => other.peer === peer);
        if (does === 'add') {
          const added = member(peer, `${at}`);
          queue.add(added);
          waiting.add(added);
          if (known.length === 0) turnsWithout.set(peer, 0);
        } else if (does === 'remove') {
          const [gone] = known;
          if (gone !== undefined) queue.remove(gone);
          if (gone !== undefined) waiting.delete(gone);
        } else {
          const next = queue.next();
          expect(next === undefined).toBe(waiting.size === 0);
          if (next === undefined) continue;
          expect(waiting.delete(next)).toBe(true);
          for (const other of new Set([...waiting].map(one => one.peer))) {
            turnsWithout.set(other, other === next.peer ? 0 : (turnsWithout.get(other) ?? 0) + 1);
            expect(turnsWithout.get(other)).toBeLessThanOrEqual(2);
          }
        }
        expect(queue.size).toBe(waiting.size);
      }
    }),
  );
});
