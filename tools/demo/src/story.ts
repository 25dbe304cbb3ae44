import { clearLine, cursorTo } from 'node:readline';
import { attoPerAstro } from '@astro/devstack/local-market';

export type Cell = string | number;

/** What the reader sees: chapters, live progress and tables, on standard error or standard output. */
export class Story {
  private readonly startedAt = Date.now();
  private live = false;

  constructor(private readonly out: NodeJS.WriteStream) {}

  chapter(title: string): void {
    this.line(`\n${title}`);
  }

  line(text: string): void {
    this.endLive();
    this.out.write(`${text}\n`);
  }

  /** One step of the story, with the seconds since the start. */
  step(text: string): void {
    this.line(`  ${this.clock()}  ${text}`);
  }

  /** A line that is written over while something goes on; without a terminal only its last state is printed. */
  progress(text: string, isLast = false): void {
    if (this.out.isTTY) {
      cursorTo(this.out, 0);
      clearLine(this.out, 0);
      this.out.write(`  ${this.clock()}  ${text}`);
      this.live = true;
      if (isLast) this.endLive();
    } else if (isLast) this.step(text);
  }

  table(head: readonly string[], rows: readonly (readonly Cell[])[]): void {
    const text = [head, ...rows].map(row => row.map(cell => String(cell)));
    const widths = head.map((_, column) => Math.max(...text.map(row => row[column]!.length)));
    const isNumber = head.map((_, column) =>
      rows.every(row => /^[-\d.,%]+( \w+)?$/.test(String(row[column]))),
    );
    const render = (row: readonly string[]) =>
      `  ${row
        .map((cell, column) =>
          isNumber[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
        )
        .join('   ')
        .trimEnd()}`;
    this.line(render(text[0]!));
    this.line(`  ${widths.map(width => '─'.repeat(width)).join('   ')}`);
    for (const row of text.slice(1)) this.line(render(row));
  }

  private clock(): string {
    return `${((Date.now() - this.startedAt) / 1_000).toFixed(1).padStart(6)} s`;
  }

  private endLive(): void {
    if (!this.live) return;
    this.out.write('\n');
    this.live = false;
  }
}

/** Base units as ASTRO with six decimals, rounded towards zero. */
export function astro(amountAtto: bigint): string {
  const micro = (amountAtto * 1_000_000n) / attoPerAstro;
  const sign = micro < 0n ? '-' : '';
  const digits = (micro < 0n ? -micro : micro).toString().padStart(7, '0');
  return `${sign}${digits.slice(0, -6)}.${digits.slice(-6)}`;
}
