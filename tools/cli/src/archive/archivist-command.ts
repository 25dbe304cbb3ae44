import { Command } from '@oclif/core/command';

/** What the archivist understands itself: its arguments are handed on as they are. */
export abstract class ArchivistCommand extends Command {
  static override strict = false;

  protected async handOn(args: readonly string[]): Promise<void> {
    const { runArchivist } = await import('@astro/archivist/archivist');
    process.exitCode = await runArchivist(args);
  }
}
