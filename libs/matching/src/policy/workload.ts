/** What nodes of one kind have. CPU in thousandths of a vCPU; every device counts 1,000 thousandths. */
export type NodeShape = { readonly model: string; readonly cpuMillis: number; readonly deviceCount: number };

/**
 * Requests that no allocation policy tells apart.
 *
 * With one device, `shareThousandths` may be below 1,000: then it shares the device. With several devices every one is
 * whole. With no device it asks for CPU only.
 */
export type RequestClass = {
  readonly cpuMillis: number;
  readonly deviceCount: number;
  readonly shareThousandths: number;
  /** Empty: any. */
  readonly models: readonly string[];
};

/** How often a class arrives, in any unit: only the proportions matter. */
export type ClassCount = { readonly requestClass: RequestClass; readonly count: number };

export type ShapeCount = { readonly shape: NodeShape; readonly count: number };

/** Devices asked for, as a number of whole ones. */
export const devicesOf = (requestClass: RequestClass): number =>
  (requestClass.deviceCount * requestClass.shareThousandths) / 1000;

export const isAllowedOn = (requestClass: RequestClass, shape: NodeShape): boolean =>
  requestClass.models.length === 0 || requestClass.models.includes(shape.model);

/** Whether an empty node of the shape could run it. */
export const fitsEmpty = (requestClass: RequestClass, shape: NodeShape): boolean =>
  isAllowedOn(requestClass, shape) &&
  requestClass.cpuMillis <= shape.cpuMillis &&
  requestClass.deviceCount <= shape.deviceCount;

export const keyOfClass = ({ cpuMillis, deviceCount, shareThousandths, models }: RequestClass): string =>
  `${cpuMillis}/${deviceCount}/${shareThousandths}/${models.join('|')}`;

export const keyOfShape = ({ model, cpuMillis, deviceCount }: NodeShape): string =>
  `${model}/${cpuMillis}/${deviceCount}`;
