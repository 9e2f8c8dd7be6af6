import { once } from 'node:events';
import { type FaultKind, faultKinds, Lab, type LinkOptions, type Role } from '@manypath/lab';
import { type Command, InvalidArgumentError } from 'commander';
import { requirePrograms } from '../system-packages.ts';
import { numberFrom } from '../terminal/option-values.ts';
import { wrapText } from '../terminal/wrap.ts';

const defaultName = 'lab';

const rateMbit = numberFrom(0.01, 100_000);
const delayMs = numberFrom(0, 10_000);

interface Named {
  name?: string;
}

/** `manypath lab`: the test bed by hand. */
export function addLabCommand(program: Command): void {
  const lab = program
    .command('lab')
    .enablePositionalOptions()
    .summary('the test bed by hand: namespaces that stand for laptop, links, relay and origin')
    .description(
      'A laptop with two shaped links, a router, a relay and two origins, as network\nnamespaces; see docs/LAB.md. As root:\n' +
        '  manypath lab up --links a=30,b=30      build it\n' +
        '  manypath lab exec client ip address    a command on the laptop\n' +
        '  manypath lab shape a --delay 20        20 ms more on link a, each way\n' +
        '  manypath lab cut a blackhole           link a falls silent\n' +
        '  manypath lab heal a\n' +
        '  manypath lab down',
    )
    .hook('preAction', () => requirePrograms(['ip', 'tc', 'nft']));

  named(lab.command('up').description('build it'))
    .option('--links <list>', 'names and rates in Mbit/s, e.g. a=30,b=30 or a=100,b=10', parseLinks)
    .option('--delay <ms>', 'one-way delay of every link in milliseconds', delayMs)
    .action(async ({ name, links, delay }: Named & { links?: LinkOptions[]; delay?: number }) => {
      const wanted = links ?? [
        { name: 'a', rateMbit: 30 },
        { name: 'b', rateMbit: 30 },
      ];
      const delayed = delay === undefined ? wanted : wanted.map(link => ({ ...link, delayMs: delay }));
      const built = await Lab.create({ name: name ?? defaultName, persistent: true, links: delayed });
      const lines = built.describe().flatMap(line => wrapText(line, { next: '  ' }));
      process.stdout.write(`${lines.join('\n')}\n`);
    });
  named(lab.command('down').description('take it down'))
    .argument('[lab]', 'which one; --name says the same')
    .action((lab: string | undefined, { name }: Named) => chosen(lab ?? name).destroy());
  lab
    .command('list')
    .description('the labs there are')
    .action(() => {
      for (const name of Lab.list()) process.stdout.write(`${name}\n`);
    });
  named(lab.command('exec').description('run a command in a namespace'))
    .argument('<namespace>', 'client, router, relay, origin or origin-mptcp')
    .argument('<command...>')
    .passThroughOptions()
    .action(async (role: Role, command: string[], { name }: Named) => {
      const child = chosen(name).spawn(role, command, { foreground: true, stdio: 'inherit' });
      const [code] = (await once(child, 'exit')) as [number | null];
      process.exitCode = code ?? 1;
    });
  named(lab.command('shape').description('set rate, delay or loss of a link'))
    .argument('<link>', 'its name, as in lab up --links')
    .option('--rate <mbit>', 'rate in Mbit/s', rateMbit)
    .option('--delay <ms>', 'one-way delay in milliseconds', delayMs)
    .option('--loss <percent>', 'packets lost, in per cent', numberFrom(0, 100))
    .action(
      (link: string, { name, rate, delay, loss }: Named & { rate?: number; delay?: number; loss?: number }) =>
        chosen(name).shape(link, {
          ...(rate === undefined ? {} : { rateMbit: rate }),
          ...(delay === undefined ? {} : { delayMs: delay }),
          ...(loss === undefined ? {} : { lossPercent: loss }),
        }),
    );
  named(lab.command('cut').description('put a fault on a link'))
    .argument('<link>', 'its name, as in lab up --links')
    .argument('[fault]', `one of ${faultKinds.join(', ')}`, parseFault, 'blackhole')
    .action((link: string, fault: FaultKind, { name }: Named) => chosen(name).cut(link, fault));
  named(lab.command('heal').description('take all faults off a link'))
    .argument('<link>', 'its name, as in lab up --links')
    .action((link: string, { name }: Named) => chosen(name).heal(link));
}

function named(command: Command): Command {
  return command.option('--name <name>', `which lab, when there are several (default: ${defaultName})`);
}

/** The lab of this name; without one the usual one, or the only one there is. */
function chosen(name: string | undefined): Lab {
  const all = Lab.list();
  const [only] = all;
  const usual = all.length === 1 && only !== undefined ? only : defaultName;
  return Lab.attach(name ?? usual);
}

function parseLinks(text: string): LinkOptions[] {
  return text.split(',').map(part => {
    const [name = '', rate = ''] = part.split('=');
    if (name === '' || Number.isNaN(Number.parseFloat(rate)))
      throw new InvalidArgumentError('Write a=30,b=30.');
    return { name, rateMbit: rateMbit(rate) };
  });
}

function parseFault(text: string): FaultKind {
  const fault = faultKinds.find(kind => kind === text);
  if (fault === undefined) throw new InvalidArgumentError(`Choose one of ${faultKinds.join(', ')}.`);
  return fault;
}
