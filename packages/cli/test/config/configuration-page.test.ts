import { readFileSync } from 'node:fs';
import { parseConfig } from '@manypath/core';
import { describe, expect, it } from 'vitest';

const page = readFileSync(new URL('../../../../docs/CONFIG.md', import.meta.url), 'utf8');
const example = /```json\n(.*?)```/s.exec(page)?.[1] ?? '';

describe('docs/CONFIG.md', () => {
  it('has an example that is a configuration', () => {
    expect(parseConfig(example).paths?.['kind:cellular']).toEqual({
      tier: 'secondary',
      dailyCapBytes: 500_000_000,
      monthlyCapBytes: 10_000_000_000,
      resetDay: 15,
      atCap: 'never',
    });
  });

  it('shows and explains every key there is', () => {
    const config = JSON.parse(example) as Record<string, unknown>;
    const source = readFileSync(new URL('../../../core/src/config.ts', import.meta.url), 'utf8');
    const keys = [...source.matchAll(/^\s+(\w+): v\.(?:exactOptional|pipe)\(/gm)].map(
      match => match[1] ?? '',
    );
    expect(keys).toContain('monthlyCap');
    expect(keys).toContain('relay');
    for (const key of keys) expect(page, key).toContain(`| \`${key}\` |`);
    for (const key of Object.keys(config)) expect(keys).toContain(key);
    const inside = JSON.stringify(config);
    for (const key of keys) expect(inside, key).toContain(`"${key}":`);
  });
});
