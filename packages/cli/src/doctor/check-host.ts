import { readdirSync, readFileSync } from 'node:fs';
import { explainRefusal } from '../browser/namespace-refusal.ts';
import { bad, type Finding, good } from './finding.ts';
import { sysctl } from './sysctl.ts';

/** Programs that manage Multipath TCP as well, by the names of their processes. */
const managers: Readonly<Record<string, string>> = {
  mptcpd: 'systemctl disable --now mptcp.service, or leave the paths to it and run Manypath without rights',
};

/** What else on this machine matters: other managers, namespaces, buffers. */
export function checkHost(): Finding[] {
  return [...managerFindings(), namespaceFinding(), bufferFinding()];
}

function managerFindings(): Finding[] {
  const running = processNames();
  const others = Object.entries(managers).filter(([name]) => running.has(name));
  if (others.length === 0) return [good('managers', 'no other program manages Multipath TCP here')];
  return others.map(([name, fix]) =>
    bad(`manager-${name}`, `${name} also sets up paths: the two get in each other's way`, fix),
  );
}

function processNames(): Set<string> {
  const names = new Set<string>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      names.add(readFileSync(`/proc/${entry}/comm`, 'utf8').trim());
    } catch {
      // It has ended meanwhile.
    }
  }
  return names;
}

/** What forbids a namespace to an ordinary user; root may always. */
function namespaceFinding(): Finding {
  const refusal = explainRefusal('not permitted');
  if (process.getuid?.() === 0 || refusal === 'not permitted') {
    return good('namespaces', 'the browser can have a quiet network of its own');
  }
  return bad(
    'namespaces',
    refusal,
    'allow it, or use browse --no-isolate: link changes then break downloads off',
  );
}

/** Bytes that two paths of 500 Mbit/s and 60 ms have on their way. */
const wantedBuffer = 7_500_000;

function bufferFinding(): Finding {
  const most = (name: string) => Number(sysctl(name)?.split(/\s+/)[2] ?? Number.POSITIVE_INFINITY);
  const small = ['net.ipv4.tcp_rmem', 'net.ipv4.tcp_wmem'].filter(name => most(name) < wantedBuffer);
  if (small.length === 0) return good('buffers', 'socket buffers can grow to what fast paths need');
  const text = small.map(name => `${name} ends at ${(most(name) / 1e6).toFixed(1)} MB`).join(', ');
  // Enough for most: said, and not called wrong.
  return good('buffers', `${text}: above some 300 Mbit/s at 60 ms more would help`);
}
