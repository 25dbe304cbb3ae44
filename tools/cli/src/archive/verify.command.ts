import { ArchivistCommand } from './archivist-command.js';

export default class ArchiveVerify extends ArchivistCommand {
  static override summary = 'Compare archive and streams, event by event';

  run(): Promise<void> {
    return this.handOn(['verify', ...this.argv]);
  }
}
