import { ArchivistCommand } from './archivist-command.js';

export default class ArchiveRestore extends ArchivistCommand {
  static override summary = 'Rebuild a stream that was lost from its archive';

  run(): Promise<void> {
    return this.handOn(['restore', ...this.argv]);
  }
}
