import type { BackoffSettings, Strategy } from './supervision-settings.js';

/**
 * What a supervisor does about a failed child, as a pure function of (tree, statistics, failure, time). Source: Erlang/OTP's `supervisor`.
 *
 * S1: more than `intensity` escalations within `period` (both ends included, as in OTP) fail the supervisor itself; its own supervisor then
 *     decides about it as about any failed child. Past the top of the tree the node stops.
 * S2: what comes back begins anew: a supervisor that is restarted, or terminated with others, forgets its escalations.
 * S3: members start in their order, children before nested supervisors, and terminate in the reverse one.
 * S4: a temporary child never comes back, whoever restarts it, and its own failure concerns nobody else and counts for nothing.
 */

export interface Child {
  readonly actor: string;
  readonly restart: 'permanent' | 'temporary';
}

/** A supervisor; names and actors are unique in the whole tree. */
export interface Tree {
  readonly name: string;
  readonly strategy: Strategy;
  readonly intensity: number;
  readonly period: number; // ms
  readonly backoff: BackoffSettings;
  readonly children: readonly Child[];
  readonly supervisors: readonly Tree[];
}

/** One supervisor's escalations. */
export interface Window {
  /** when, ms, oldest first; those within the period */
  readonly escalations: readonly number[];
  /** escalations in a row: without a quiet period between the end of one's back-off and the next */
  readonly row: number;
  /** when the last back-off is over, ms */
  readonly until: number;
}

export interface Statistics {
  /** by supervisor */
  readonly windows: ReadonlyMap<string, Window>;
  /** actors that do not come back */
  readonly gone: ReadonlySet<string>;
}

export const NO_STATISTICS: Statistics = { windows: new Map(), gone: new Set() };

export interface Failure {
  readonly actor: string;
  /** for the jitter, from 0 to 1 */
  readonly chance: number;
}

/** What one supervisor did about it. */
export interface Step {
  readonly supervisor: string;
  readonly kind: 'restarts' | 'fails';
  /** within its period, this one included */
  readonly escalations: number;
}

export interface Decision {
  /** from the failed child's own supervisor upward; all but the last one failed */
  readonly steps: readonly Step[];
  /** actors that terminate, in this order */
  readonly stops: readonly string[];
  /** those of them that start again once `delay` is over, in this order */
  readonly starts: readonly string[];
  readonly delay: number; // ms
  /** past the top of the tree */
  readonly stopsNode: boolean;
  readonly statistics: Statistics;
}

type Member = Child | Tree;

const isTree = (member: Member): member is Tree => 'supervisors' in member;
const members = (tree: Tree): readonly Member[] => [...tree.children, ...tree.supervisors]; // S3

/** The actors below, in start order. */
function actorsOf(member: Member): Child[] {
  return isTree(member) ? members(member).flatMap(actorsOf) : [member];
}

function supervisorsOf(member: Member): string[] {
  return isTree(member) ? [member.name, ...member.supervisors.flatMap(supervisorsOf)] : [];
}

/** The supervisors above `actor`, the innermost first. */
function above(trees: readonly Tree[], actor: string): Tree[] | undefined {
  for (const tree of trees) {
    if (tree.children.some((child) => child.actor === actor)) return [tree];
    const inner = above(tree.supervisors, actor);
    if (inner !== undefined) return [...inner, tree];
  }
  return undefined;
}

/** The members that terminate with `failed`. */
function affected(tree: Tree, failed: Member): readonly Member[] {
  if (tree.strategy === 'one-for-one') return [failed];
  const all = members(tree);
  return tree.strategy === 'one-for-all' ? all : all.slice(all.indexOf(failed));
}

/** Beyond so many steps every wait is the longest; without a bound the power would leave the numbers. */
const MOST_STEPS = 64;

/** The wait before the restart that ends a row of so many escalations. */
export function backoff({ min, max, factor, jitter }: BackoffSettings, row: number, chance: number): number {
  const wait = Math.min(max, min * factor ** Math.min(row - 1, MOST_STEPS));
  return Math.round(wait * (1 + jitter * (2 * chance - 1)));
}

function escalated(window: Window | undefined, { period }: Tree, now: number): Window {
  const kept = (window?.escalations ?? []).filter((at) => at >= now - period);
  const inARow = window !== undefined && now - window.until <= period;
  return { escalations: [...kept, now], row: inARow ? window.row + 1 : 1, until: now };
}

/** @param trees the supervisors at the top; past each of them the node stops */
export function decide(trees: readonly Tree[], statistics: Statistics, { actor, chance }: Failure, now: number): Decision {
  const path = above(trees, actor);
  const child = path?.[0]?.children.find((one) => one.actor === actor);
  const nothing = { steps: [], stops: [], starts: [], delay: 0, stopsNode: false, statistics };
  if (path === undefined || child === undefined || statistics.gone.has(actor)) return nothing; // it has been stopped meanwhile
  if (child.restart === 'temporary') return { ...nothing, stops: [actor], statistics: without(statistics, [], [actor]) }; // S4
  const steps: Step[] = [];
  const windows = new Map(statistics.windows);
  let failed: Member = child;
  for (const tree of path) {
    const window = escalated(windows.get(tree.name), tree, now);
    const escalations = window.escalations.length;
    if (escalations > tree.intensity) {
      steps.push({ supervisor: tree.name, kind: 'fails', escalations }); // S1
      failed = tree;
      continue;
    }
    steps.push({ supervisor: tree.name, kind: 'restarts', escalations });
    const delay = backoff(tree.backoff, window.row, chance);
    windows.set(tree.name, { ...window, until: now + delay });
    const terminated = affected(tree, failed);
    const alive = terminated.flatMap(actorsOf).filter((one) => !statistics.gone.has(one.actor));
    const stops = alive.map((one) => one.actor).reverse();
    const starts = alive.filter(({ restart }) => restart === 'permanent').map((one) => one.actor);
    const gone = stops.filter((one) => !starts.includes(one));
    return { steps, stops, starts, delay, stopsNode: false, statistics: without({ ...statistics, windows }, terminated, gone) };
  }
  const stops = trees
    .flatMap(actorsOf)
    .map((one) => one.actor)
    .filter((one) => !statistics.gone.has(one))
    .reverse();
  return { steps, stops, starts: [], delay: 0, stopsNode: true, statistics: without(statistics, trees, stops) };
}

/** S2, S4 */
function without(statistics: Statistics, terminated: readonly Member[], gone: readonly string[]): Statistics {
  const windows = new Map(statistics.windows);
  for (const name of terminated.flatMap(supervisorsOf)) windows.delete(name);
  return { windows, gone: new Set([...statistics.gone, ...gone]) };
}
