/** A device beside the processor, as a vendor's own tool tells it. */
export type Accelerator = {
  readonly vendor: string;
  readonly model: string;
  readonly memoryMib: number;
  readonly id: string;
};
