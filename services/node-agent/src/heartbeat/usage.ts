import { cpus, freemem, totalmem } from 'node:os';

const BYTES_PER_MIB = 1024 * 1024;

type CpuTimes = { readonly idleMs: number; readonly totalMs: number };

/** How busy the machine is: processors since the last reading, memory now. */
export class MachineUsage {
  #last = cpuTimes();

  read(): { readonly cpuPercent: number; readonly memoryUsedMib: number } {
    const now = cpuTimes();
    const totalMs = now.totalMs - this.#last.totalMs;
    const idleMs = now.idleMs - this.#last.idleMs;
    this.#last = now;
    return {
      cpuPercent: totalMs > 0 ? Math.round((100 * (totalMs - idleMs)) / totalMs) : 0,
      memoryUsedMib: Math.round((totalmem() - freemem()) / BYTES_PER_MIB),
    };
  }
}

function cpuTimes(): CpuTimes {
  const times = cpus().map(({ times }) => times);
  return {
    idleMs: times.reduce((sum, { idle }) => sum + idle, 0),
    totalMs: times.reduce((sum, { user, nice, sys, idle, irq }) => sum + user + nice + sys + idle + irq, 0),
  };
}
