import { connect, type Socket } from 'node:net';

/** A reply with its RESP type kept: `$x`, `:1`, `+OK`, `-ERR …`, nested in arrays. Two servers agree when these are equal. */
export type RawReply = string | RawReplies;
/** The first item is the type's mark. */
export interface RawReplies extends ReadonlyArray<RawReply> {}

/** A connection that sends words and takes replies as they are, without a client library's own ideas. */
export class RawConnection {
  #pending: Buffer = Buffer.alloc(0);
  #waiting: { until: string; replies: RawReply[]; resolve: (replies: RawReply[]) => void; reject: (error: Error) => void } | undefined;

  private constructor(private readonly socket: Socket) {
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('close', () => this.#waiting?.reject(new Error(`closed by the server after ${JSON.stringify(this.#waiting.replies)}`)));
    socket.on('error', () => socket.destroy());
  }

  static open(port: number): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      socket.setNoDelay(true);
      socket.once('connect', () => resolve(new RawConnection(socket)));
      socket.once('error', reject);
    });
  }

  close(): void {
    this.socket.destroy();
  }

  /** Sends these bytes, and resolves with all replies up to the bulk string `until`, which the last request must echo. */
  exchange(bytes: Buffer, until: string): Promise<RawReply[]> {
    return new Promise((resolve, reject) => {
      if (this.socket.destroyed) throw new Error('the connection was closed earlier');
      this.#waiting = { until: `$${until}`, replies: [], resolve, reject };
      this.socket.write(bytes);
    });
  }

  #take(chunk: Buffer): void {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const reader = new Reader(this.#pending);
    for (;;) {
      const start = reader.at;
      const reply = reader.next();
      if (reply === undefined) {
        this.#pending = this.#pending.subarray(start);
        return;
      }
      const waiting = this.#waiting;
      if (waiting === undefined) continue;
      if (reply === waiting.until) {
        this.#waiting = undefined;
        waiting.resolve(waiting.replies);
      } else waiting.replies.push(reply);
    }
  }
}

/** A request as RESP. Words are byte strings (latin1). */
export function encode(words: readonly string[]): Buffer {
  return Buffer.from(`*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`, 'latin1');
}

class Reader {
  at = 0;
  constructor(private readonly bytes: Buffer) {}

  next(): RawReply | undefined {
    const end = this.bytes.indexOf('\r\n', this.at);
    if (end < 0) return undefined;
    const mark = String.fromCharCode(this.bytes[this.at] as number);
    const line = this.bytes.toString('latin1', this.at + 1, end);
    const after = end + 2;
    if ('+-:_,#('.includes(mark)) {
      this.at = after;
      return mark + line;
    }
    const count = Number(line);
    if (mark === '$' || mark === '=' || mark === '!') {
      if (count < 0) {
        this.at = after;
        return '$nil';
      }
      if (this.bytes.length < after + count + 2) return undefined;
      this.at = after + count + 2;
      return mark + this.bytes.toString('latin1', after, after + count);
    }
    if (count < 0) {
      this.at = after;
      return '*nil';
    }
    this.at = after;
    const items: RawReply[] = [];
    for (let index = 0; index < (mark === '%' ? count * 2 : count); index += 1) {
      const item = this.next();
      if (item === undefined) return undefined;
      items.push(item);
    }
    return [mark, ...items];
  }
}
