import type { ActorSystem, Command, ResultMessage } from 'errand';
import { DispatchProduct, SendEmail, SendText } from './messages.js';

/** What a person wants to know about one order. */
export interface OrderRow {
  readonly orderId: number;
  trackingNumber?: string;
  email?: string;
  text?: string;
  /** an earlier run, or an earlier line, has placed it already */
  known?: true;
  /** what went wrong, one for each command that failed */
  failures: string[];
}

interface Open {
  readonly row: OrderRow;
  /** the commands whose first result is still to come */
  readonly left: Set<string>;
}

const REACTIONS = [DispatchProduct, SendEmail, SendText].map(({ name }) => name);

/**
 * Watches the three result streams for the orders of this run, which are told from everybody else's by their correlation ids. Holds only
 * the orders that still wait for a result.
 */
export class OrderTracker {
  dispatched = 0;
  emails = 0;
  notifications = 0;
  failed = 0;

  readonly #open = new Map<string, Open>();
  readonly #subscriptions: { unsubscribe(): void }[] = [];
  #error: unknown;
  #progress: (() => void) | undefined;

  /** Begins to watch; what the system sends from now on is seen. */
  watch(system: ActorSystem): void {
    this.#watch(system, DispatchProduct, (row, { trackingNumber }) => {
      row.trackingNumber = trackingNumber;
      this.dispatched += 1;
    });
    this.#watch(system, SendEmail, (row, { sentAs }) => {
      row.email = sentAs;
      this.emails += 1;
    });
    this.#watch(system, SendText, (row, { sentAs }) => {
      row.text = sentAs;
      this.notifications += 1;
    });
  }

  #watch<N extends string, I, D, R, Ret>(
    system: ActorSystem,
    command: Command<N, I, D, R, Ret>,
    completed: (row: OrderRow, value: R) => void,
  ): void {
    const next = (result: ResultMessage<Command<N, I, D, R, Ret>>): void => {
      const open = this.#open.get(result.correlationId);
      if (open?.left.delete(command.name) !== true) return; // somebody else's order, or told twice by hand
      if (result.status === 'completed') completed(open.row, result.value);
      else {
        this.failed += 1;
        open.row.failures.push(`${command.name}: ${result.error.code}: ${result.error.message}`);
      }
      if (open.left.size === 0) this.#close(result.correlationId);
      else this.#progress?.();
    };
    const error = (reason: unknown): void => {
      this.#error ??= reason;
      this.#progress?.();
    };
    this.#subscriptions.push(system.results(command).subscribe({ next, error }));
  }

  unwatch(): void {
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
  }

  /** Orders that still wait for a result. */
  get waiting(): number {
    return this.#open.size;
  }

  /** Expects an order's results; before it is placed, for a result can be faster than a receipt. */
  expect(correlationId: string, row: OrderRow): void {
    this.#open.set(correlationId, { row, left: new Set(REACTIONS) });
  }

  /** Nothing is to come under this correlation id. */
  drop(correlationId: string): void {
    this.#close(correlationId);
  }

  #close(correlationId: string): void {
    this.#open.delete(correlationId);
    this.#progress?.();
  }

  /**
   * Waits until at most `most` orders wait for a result.
   * @param patience how long nothing at all may happen, ms
   * @returns false when patience ran out
   */
  async until(most: number, patience: number): Promise<boolean> {
    while (this.#open.size > most) {
      if (!(await this.#happens(patience))) return false;
    }
    if (this.#error !== undefined) throw this.#error;
    return true;
  }

  async #happens(patience: number): Promise<boolean> {
    if (this.#error !== undefined) throw this.#error;
    let timer: NodeJS.Timeout | undefined;
    const happened = await new Promise<boolean>((resolve) => {
      this.#progress = () => resolve(true);
      timer = setTimeout(() => resolve(false), patience);
    });
    clearTimeout(timer);
    this.#progress = undefined;
    return happened;
  }

  /** Gives up on every order that still waits, and says how many they were. */
  abandon(): number {
    const { size } = this.#open;
    this.#open.clear();
    return size;
  }
}
