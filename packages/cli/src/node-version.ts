/** The oldest Node that runs Manypath, as package.json says. */
const needed = [20, 19] as const;

/** Why this Node cannot run Manypath, and what to do; `undefined` when it can. It uses nothing that an old Node has not. */
export function complaintAbout(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > needed[0] || (major === needed[0] && minor >= needed[1])) return undefined;
  return [
    `Node.js ${needed.join('.')} or newer is needed; this is ${version}.`,
    '  try: npx --yes --package=node@24 --call="manypath demo"',
    'npm has a newer one in its package "node"; the .deb of Manypath brings one.',
  ].join('\n');
}
