import type { TrafficHistory } from '@manypath/core';
import { type ComponentChild, h } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { rateWords } from './path-words.ts';

/** Colours that stay apart on light and dark grounds, and for people who see fewer of them (Okabe and Ito). */
export const pathColours = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00'];

/** What a chart shows. */
export interface TrafficChartProps {
  readonly history: TrafficHistory;
  /** Of all paths, in the order of their colours; also of those that have carried nothing. */
  readonly names: readonly string[];
  readonly height: number;
}

/** How far back it goes, in seconds. */
const shownSeconds = 120;

/** The last two minutes, path upon path, so that it shows how they add up. */
export function TrafficChart({ history: carried, names, height }: TrafficChartProps): ComponentChild {
  const history = ofPaths(carried, names);
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const isDark = useDarkScheme();
  useEffect(() => {
    const { current } = place;
    if (current === null) return;
    const drawn = new uPlot(optionsFor(history, current.clientWidth, height), stacked(history), current);
    plot.current = drawn;
    const observer = new ResizeObserver(() => {
      if (current.clientWidth !== drawn.width) drawn.setSize({ width: current.clientWidth, height });
    });
    observer.observe(current);
    return () => {
      observer.disconnect();
      drawn.destroy();
    };
    // Another set of paths needs other lines, another scheme other colours; new figures do not.
  }, [names.join(' '), height, isDark]);
  useEffect(() => plot.current?.setData(stacked(history)), [carried]);
  return h('div', { class: 'chart', role: 'img', 'aria-label': inWords(history), ref: place });
}

function useDarkScheme(): boolean {
  const query = matchMedia('(prefers-color-scheme: dark)');
  const [isDark, setDark] = useState(query.matches);
  useEffect(() => {
    const onChange = ({ matches }: MediaQueryListEvent): void => setDark(matches);
    query.addEventListener('change', onChange);
    return () => query.removeEventListener('change', onChange);
  }, []);
  return isDark;
}

/** The figures of these paths, in their order; of those that carried nothing, nothing. */
export function ofPaths(history: TrafficHistory, names: readonly string[]): TrafficHistory {
  const none = { down: [], up: [] };
  const paths = names.map(name => history.paths.find(path => path.name === name) ?? { name, ...none });
  return { ...history, paths };
}

/** Sums of what came down, from the first path to each: the first line is the sum of all, and drawn first. */
export function stacked({ stepMs, paths }: TrafficHistory): uPlot.AlignedData {
  const steps = Math.max(Math.round((shownSeconds * 1000) / stepMs), ...paths.map(({ down }) => down.length));
  const times = Array.from({ length: steps }, (_, step) => ((step + 1 - steps) * stepMs) / 1000);
  const sums: number[][] = [];
  let below = times.map(() => 0);
  for (const { down } of paths) {
    // The last figures of all paths are of the same moment.
    const before = steps - down.length;
    below = below.map((sum, step) => sum + (down[step - before] ?? 0));
    sums.push(below);
  }
  return [times, ...sums.reverse()];
}

function inWords({ paths }: TrafficHistory): string {
  const now = paths.map(({ name, down }) => `${name} ${rateWords(down.at(-1) ?? 0)}`);
  return now.length === 0
    ? 'Nothing was downloaded yet'
    : `Download rate of the last two minutes; now ${now.join(', ')}`;
}

function optionsFor({ paths }: TrafficHistory, width: number, height: number): uPlot.Options {
  const quiet = colourOf('--quiet');
  const grid = { stroke: colourOf('--line'), width: 1 };
  const series = paths
    .map(({ name }, index) => {
      const colour = pathColours[index % pathColours.length] ?? quiet;
      return { label: name, stroke: colour, fill: colour, width: 0, points: { show: false } };
    })
    .reverse();
  return {
    width,
    height,
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false }, y: { range: (_, __, most) => [0, Math.max(125_000, most * 1.1)] } },
    axes: [
      {
        stroke: quiet,
        grid,
        ticks: grid,
        values: (_, splits) => splits.map(split => (split === 0 ? 'now' : `${split} s`)),
      },
      { stroke: quiet, grid, ticks: grid, size: 88, values: (_, splits) => splits.map(rateWords) },
    ],
    series: [{}, ...series],
  };
}

/** The value of a colour of the style sheet for the scheme in force: a canvas knows neither variables nor `light-dark()`. */
function colourOf(name: string): string {
  const probe = document.body.appendChild(document.createElement('span'));
  probe.style.color = `var(${name})`;
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
