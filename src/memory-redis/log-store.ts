import {
  closeSync,
  existsSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';

/** Where a log's bytes are kept. */
export interface LogStore {
  readonly size: number;
  /** Half a transaction stands in the log, as Redis 7.0 leaves it, until the log is rewritten. Only a test's log does that. */
  readonly tornInside?: boolean;
  append(bytes: Buffer): void;
  read(): Buffer;
  /** Forgets everything from `size` on. */
  truncate(size: number): void;
  replace(bytes: Buffer): void;
  close(): void;
}

/** A log in memory: it survives a `crash` in a test, and nothing else. */
export class MemoryLogStore implements LogStore {
  #chunks: Buffer[] = [];
  size = 0;

  append(bytes: Buffer): void {
    this.#chunks.push(bytes);
    this.size += bytes.length;
  }

  read(): Buffer {
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }

  truncate(size: number): void {
    this.replace(this.read().subarray(0, size));
  }

  replace(bytes: Buffer): void {
    this.#chunks = [bytes];
    this.size = bytes.length;
  }

  close(): void {
    this.#chunks = [];
  }
}

/** How often a file is made to reach the disk: with each batch of writes, about once a second, or when the system likes. */
export type SyncPolicy = 'always' | 'everysec' | 'no';

const SYNC_INTERVAL_MS = 1000;

/**
 * A log in a file. What has been appended survives the end of this process at once, and a power cut as the policy says.
 * One process at a time: a lock file beside it names the owner.
 */
export class FileLogStore implements LogStore {
  #file: number;
  #size: number;
  #syncedAt = 0;
  #syncing = false;
  readonly #lock: string;

  /** @param monotonic milliseconds on a clock that never goes back */
  constructor(
    private readonly path: string,
    private readonly policy: () => SyncPolicy,
    private readonly monotonic: () => number,
  ) {
    this.#lock = `${path}.lock`;
    takeLock(this.#lock);
    try {
      this.#file = openSync(path, 'a+');
      this.#size = fstatSync(this.#file).size;
    } catch (error) {
      rmSync(this.#lock, { force: true });
      throw error;
    }
  }

  get size(): number {
    return this.#size;
  }

  append(bytes: Buffer): void {
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at);
    } catch (error) {
      // Half a record must not stay: what is appended after it could not be read.
      ftruncateSync(this.#file, this.#size);
      throw error;
    }
    this.#size += bytes.length;
    this.#sync();
  }

  #sync(): void {
    const policy = this.policy();
    if (policy === 'always') fdatasyncSync(this.#file);
    if (policy !== 'everysec' || this.#syncing || this.monotonic() - this.#syncedAt < SYNC_INTERVAL_MS) return;
    this.#syncing = true;
    this.#syncedAt = this.monotonic();
    fdatasync(this.#file, () => {
      this.#syncing = false;
    });
  }

  read(): Buffer {
    return readFileSync(this.path);
  }

  truncate(size: number): void {
    ftruncateSync(this.#file, size);
    this.#size = size;
  }

  replace(bytes: Buffer): void {
    const fresh = `${this.path}.new`;
    writeFileSync(fresh, bytes, { flush: true });
    renameSync(fresh, this.path);
    closeSync(this.#file);
    this.#file = openSync(this.path, 'a+');
    this.#size = bytes.length;
  }

  close(): void {
    fdatasyncSync(this.#file);
    closeSync(this.#file);
    rmSync(this.#lock, { force: true });
  }
}

/** Makes the lock file, or takes over that of a process that is gone. */
function takeLock(path: string): void {
  for (let attempt = 0; ; attempt += 1) {
    try {
      writeFileSync(path, String(process.pid), { flag: 'wx' });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt > 0) throw error;
      const owner = existsSync(path) ? Number(readFileSync(path, 'utf8')) : Number.NaN;
      if (owner === process.pid || isAlive(owner))
        throw new Error(`the append-only file is in use by process ${owner} (${path})`, { cause: error });
      rmSync(path, { force: true });
    }
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
