import { dispatch, type Ref, spawn, start, stop } from 'nact';

/**
 * nact's only door: local actors, their inboxes, and the tree they hang in (system → supervisor → actor type → activation).
 *
 * I1: `receive` never throws and never rejects: nact's default answer to a fault stops the actor and abandons its mailbox.
 * I2: nothing is sent to a stopped inbox by those who keep count (activations are stopped only when nothing is outstanding,
 *     or together with all that was): nact drops such messages silently, or gives them to whoever was spawned since under the same name.
 */

type AnyRef = Ref<never>;

/** nact takes RFC 1738 characters only; all others, and `$` itself, become `$` and their hexadecimal number. */
function nactName(name: string): string {
  return name.replace(/[^A-Za-z0-9\-_.]/g, (character) => `$${(character.codePointAt(0) ?? 0).toString(16)}.`);
}

/** Should I1 be broken all the same: the mailbox goes on with the next message, and nothing is escalated inside nact. */
const KEEP = { onCrash: <Action>(_message: unknown, _error: unknown, context: { readonly resume: Action }): Action => context.resume };

export interface Inbox<Message> {
  send(message: Message): void;
  stop(): void;
}

/** A node of the tree below which there are others. */
export class Branch {
  readonly #children = new Map<string, Branch>();
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

  /** An activation's inbox: one message at a time, the next once the promise of the last is settled. */
  inbox<Message>(name: string, receive: (message: Message) => Promise<void> | void): Inbox<Message> {
    const ref = spawn(this.ref, (_state: undefined, message: Message) => receive(message) as undefined, nactName(name), KEEP);
    let stopped = false;
    return {
      send: (message) => {
        if (!stopped && !this.#stopped) dispatch(ref, message); // I2
      },
      stop: () => {
        stopped = true;
        stop(ref);
      },
    };
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
