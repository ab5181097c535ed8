import { dispatch, type Ref, spawn, start, stop } from 'nact';

/**
 * nact's only door: local actors, their inboxes, and the tree they hang in (system → supervisor → actor type → activation).
 *
 * I1: `receive` never throws: nact's default answer to a fault stops the actor and abandons its mailbox.
 * I2: nothing is sent to a stopped inbox by those who keep count (activations are stopped only when nothing is outstanding,
 *     or together with all that was): nact drops such messages silently, or gives them to whoever was spawned since under the same name.
 * I3: only a local actor that has taken all that was sent to it goes to another activation.
 */

type AnyRef = Ref<never>;

/** nact makes a sender for each message that is sent without one; its types leave the parameter out. */
const dispatchFrom = dispatch as (to: AnyRef, message: unknown, from: AnyRef) => void;

/** nact takes RFC 1738 characters only; all others, and `$` itself, become `$` and their hexadecimal number. */
function nactName(name: string): string {
  return name.replace(/[^A-Za-z0-9\-_.]/g, (character) => `$${(character.codePointAt(0) ?? 0).toString(16)}.`);
}

/** Should I1 be broken all the same: the mailbox goes on with the next message, and nothing is escalated inside nact. */
const KEEP = { onCrash: <Action>(_message: unknown, _error: unknown, context: { readonly resume: Action }): Action => context.resume };

export interface Inbox<Message> {
  send(message: Message): void;
  /** Nothing more will be sent to it. */
  stop(): void;
}

/** Whose inbox it is. Takes one message, and need not be through with it when it returns. */
export interface Receiver<Message> {
  receive(message: Message): void;
}

/** A local actor that takes messages for one activation, and later for another: there are as many as activations at work. */
interface Worker {
  readonly ref: AnyRef;
  receiver: Receiver<never>;
  /** messages sent to it that it has not taken */
  pending: number;
}

class WorkerInbox implements Inbox<unknown> {
  #worker: Worker | undefined;

  constructor(
    private readonly branch: Branch,
    worker: Worker,
  ) {
    this.#worker = worker;
  }

  send(message: unknown): void {
    if (this.#worker !== undefined) this.branch.send(this.#worker, message); // I2
  }

  stop(): void {
    const worker = this.#worker;
    this.#worker = undefined;
    if (worker !== undefined) this.branch.release(worker);
  }
}

const NOBODY: Receiver<unknown> = { receive: () => undefined };

/** Of those without an activation so many are kept: as many as have a message at a time, with the default prefetch. */
const MOST_RESTING = 1_000;

/** A node of the tree below which there are others. */
export class Branch {
  readonly #children = new Map<string, Branch>();
  /** without an activation */
  readonly #resting: Worker[] = [];
  #spawned = 0;
  #stopped = false;

  private constructor(
    readonly name: string,
    private readonly ref: AnyRef,
  ) {}

  /** The root; `name` must be unique in the process. */
  static root(name: string): Branch {
    return new Branch(name, start(nactName(name)));
  }

  branch(name: string): Branch {
    const child = new Branch(name, spawn(this.ref, () => undefined, nactName(name), KEEP) as AnyRef);
    this.#children.set(name, child);
    return child;
  }

  /** The branches below this one, in the order they were spawned. */
  get branches(): readonly Branch[] {
    return [...this.#children.values()];
  }

  /**
   * An activation's inbox, for as long as it has messages. Its local actor may have been another activation's: where keys come and go,
   * making and stopping one for each costs more than all else about an activation.
   */
  inbox<Message>(receiver: Receiver<Message>): Inbox<Message> {
    const worker = this.#resting.pop() ?? this.#spawn();
    worker.receiver = receiver;
    return new WorkerInbox(this, worker);
  }

  /** Sends one message to a local actor of this branch. */
  send(worker: Worker, message: unknown): void {
    if (this.#stopped) return; // I2
    worker.pending += 1;
    dispatchFrom(worker.ref, message, this.ref);
  }

  /** It has no activation any more. */
  release(worker: Worker): void {
    if (worker.pending > 0 || this.#stopped || this.#resting.length >= MOST_RESTING) return stop(worker.ref); // I3
    worker.receiver = NOBODY;
    this.#resting.push(worker);
  }

  #spawn(): Worker {
    this.#spawned += 1;
    const take = (_state: undefined, message: unknown): undefined => {
      worker.pending -= 1;
      worker.receiver.receive(message as never); // its promise is not waited for here: nact would keep all that it made for the message
    };
    const ref = spawn(this.ref, take, String(this.#spawned), KEEP) as AnyRef;
    const worker: Worker = { ref, receiver: NOBODY, pending: 0 };
    return worker;
  }

  /** With all below it. */
  stop(): void {
    this.#end();
    stop(this.ref);
  }

  #end(): void {
    this.#stopped = true;
    for (const child of this.#children.values()) child.#end();
  }
}
