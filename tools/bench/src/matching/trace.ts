import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { limits } from '@astro/matching/engine/admission';

/** A machine of the trace. Its devices are alike. */
export type TraceNode = {
  readonly name: string;
  readonly cpuMillis: number;
  readonly memoryMib: number;
  readonly deviceCount: number;
  /** Empty without devices. */
  readonly model: string;
};

/** A request of the trace. */
export type TracePod = {
  readonly name: string;
  readonly cpuMillis: number;
  readonly memoryMib: number;
  /** 0: CPU only. */
  readonly deviceCount: number;
  /** Of each device; below 1,000 for one device alone, 0 without devices. */
  readonly shareThousandths: number;
  /** Sorted; empty: any. */
  readonly models: readonly string[];
};

/** Devices that the pod asks for, as a number of whole ones. */
export const devicesOf = ({ deviceCount, shareThousandths }: TracePod): number =>
  (deviceCount * shareThousandths) / 1000;

/** A row that breaks a rule of the format. The message names file, line, column and rule. */
export class TraceError extends RangeError {
  override readonly name = 'TraceError';
}

const rowsMax = 1_000_000;

const nodeColumns = ['sn', 'cpu_milli', 'memory_mib', 'gpu', 'model'] as const;
const podColumns = ['name', 'cpu_milli', 'memory_mib', 'num_gpu', 'gpu_milli'] as const;

/** @param folder is laid out like the published trace: its `csv/` holds the node list and the pod lists. */
export async function readNodes(folder: string): Promise<TraceNode[]> {
  const file = join(folder, 'csv', 'openb_node_list_gpu_node.csv');
  return parseNodes(file, await readFile(file, 'utf8'));
}

/** @param name of a file in `csv/` of the folder, with or without its `.csv` */
export async function readPods(folder: string, name: string): Promise<TracePod[]> {
  if (!/^[\w.-]+$/.test(name)) throw new TraceError(`--pods: ${name} is not the name of a file in csv/`);
  const file = join(folder, 'csv', name.endsWith('.csv') ? name : `${name}.csv`);
  return parsePods(file, await readFile(file, 'utf8'));
}

export function parseNodes(file: string, text: string): TraceNode[] {
  return rowsOf(file, text, nodeColumns).map(row => {
    const deviceCount = row.integer('gpu', 0, limits.devices);
    return {
      name: row.word('sn'),
      cpuMillis: row.integer('cpu_milli', 1, limits.cpuMillis),
      memoryMib: row.integer('memory_mib', 1, limits.memoryMib),
      deviceCount,
      model: deviceCount === 0 ? '' : row.word('model'),
    };
  });
}

export function parsePods(file: string, text: string): TracePod[] {
  return rowsOf(file, text, podColumns).map(row => {
    const deviceCount = row.integer('num_gpu', 0, limits.devices);
    return {
      name: row.word('name'),
      cpuMillis: row.integer('cpu_milli', 0, limits.cpuMillis),
      memoryMib: row.integer('memory_mib', 0, limits.memoryMib),
      deviceCount,
      // The column is for each device; only a request for one device may take a part of it.
      shareThousandths: deviceCount === 0 ? 0 : row.integer('gpu_milli', deviceCount === 1 ? 1 : 1000, 1000),
      models: row.list('gpu_spec').toSorted(),
    };
  });
}

/** One row, whose columns are read by name. */
class Row {
  constructor(
    private readonly file: string,
    private readonly line: number,
    private readonly columns: ReadonlyMap<string, number>,
    private readonly cells: readonly string[],
  ) {}

  word(column: string): string {
    const cell = this.cell(column);
    if (cell === '') throw this.broken(column, 'must not be empty');
    return cell;
  }

  integer(column: string, least: number, most: number): number {
    const cell = this.cell(column);
    const value = Number(cell);
    if (!/^-?\d+$/.test(cell)) throw this.broken(column, `must be an integer, is ${JSON.stringify(cell)}`);
    if (value < least || value > most) {
      throw this.broken(column, `must be from ${least} to ${most}, is ${cell}`);
    }
    return value;
  }

  /** Parts between `|`; a file without the column has no parts. */
  list(column: string): string[] {
    const cell = this.columns.has(column) ? this.cell(column) : '';
    return cell === '' ? [] : [...new Set(cell.split('|'))];
  }

  private cell(column: string): string {
    return this.cells[this.columns.get(column)!]!.trim();
  }

  private broken(column: string, rule: string): TraceError {
    return new TraceError(`${this.file}, line ${this.line}, column ${column}: ${rule}`);
  }
}

/** The columns stand in any order and there may be more of them; no cell of this format is quoted. */
function rowsOf(file: string, text: string, required: readonly string[]): Row[] {
  const lines = text.split(/\r?\n/);
  const header = (lines[0] ?? '').split(',').map(cell => cell.trim());
  const columns = new Map(header.map((column, index) => [column, index]));
  for (const column of required) {
    if (!columns.has(column)) throw new TraceError(`${file}, line 1, column ${column}: is missing`);
  }
  if (lines.length > rowsMax) throw new TraceError(`${file}: has more than ${rowsMax} lines`);
  const rows: Row[] = [];
  for (const [index, line] of lines.entries()) {
    if (index === 0 || line.trim() === '') continue;
    const cells = line.split(',');
    if (cells.length !== header.length) {
      throw new TraceError(
        `${file}, line ${index + 1}: has ${cells.length} columns, its header ${header.length}`,
      );
    }
    rows.push(new Row(file, index + 1, columns, cells));
  }
  if (rows.length === 0) throw new TraceError(`${file}: has no rows`);
  return rows;
}
