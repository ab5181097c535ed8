import type { Supervision } from '../runtime/supervision.js';
import type { SupervisorView } from '../runtime/supervisor.js';
import type { Supervisor } from './supervisor-options.js';

/** What hangs below the root on this node, as it was when it was asked for; and how to change it. */
export interface SupervisorTree extends SupervisorView {
  /**
   * Hangs a branch into the tree while the system runs. Its children are actor types of this system that nobody supervises, or nobody any more.
   * Resolves once it asks for their partitions.
   * @param options `under` the supervisor above it; default none: past it the node stops
   * @throws ConfigError as for supervisors given to `start`; DefinitionError `UNKNOWN_ACTOR`, `DUPLICATE_ACTOR`, `UNKNOWN_SUPERVISOR`, `DUPLICATE_SUPERVISOR`;
   *   ErrandError `STOPPED`
   */
  spawn(settings: Supervisor, options?: { under?: string | undefined }): Promise<void>;
  /**
   * Takes a branch down on this node: what its actors have in hand may finish (10 s at most), their partitions go to other nodes.
   * @throws DefinitionError `UNKNOWN_SUPERVISOR`; ErrandError `STOPPED`
   */
  stop(name: string): Promise<void>;
}

/** The verbs are not enumerable: the tree prints and compares as data. */
export function supervisorTree(supervision: Supervision): SupervisorTree {
  const verbs: Pick<SupervisorTree, 'spawn' | 'stop'> = {
    spawn: async (settings, { under } = {}) => {
      const { parseSupervisors } = await import('./config.js'); // with its schemas, which few need
      for (const parsed of parseSupervisors([settings], 'supervisor')) await supervision.spawn(parsed, under);
    },
    stop: (name) => supervision.stop(name),
  };
  return Object.defineProperties(supervision.view(), {
    spawn: { value: verbs.spawn },
    stop: { value: verbs.stop },
  }) as SupervisorTree;
}
