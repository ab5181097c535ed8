/** A logger that keeps what it is told. */
import type { Logger } from '../../src/index.js';

export interface Line {
  readonly level: keyof Logger;
  readonly text: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export class Recorder implements Logger {
  readonly lines: Line[] = [];

  debug = (details: object, text: string): void => this.#keep('debug', details, text);
  info = (details: object, text: string): void => this.#keep('info', details, text);
  warn = (details: object, text: string): void => this.#keep('warn', details, text);
  error = (details: object, text: string): void => this.#keep('error', details, text);

  /** The lines with this text. */
  of(text: string): readonly Line[] {
    return this.lines.filter((line) => line.text === text);
  }

  #keep(level: keyof Logger, details: object, text: string): void {
    this.lines.push({ level, text, details: { ...details } });
  }
}
