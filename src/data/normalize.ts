import type { ImageTensor } from "./image-tensor.ts";

/**
 * (x - mean) / std by channel, as torchvision's `transforms.Normalize`. Networks trained on other than plain byte / 255 need it.
 *
 * @param image `[channels, height, width]`.
 * @param mean one finite number a channel.
 * @param std one finite number other than zero a channel.
 * @throws RangeError when there are not as many numbers as channels, or one of them is out of its range.
 */
export function normalize(image: ImageTensor, mean: readonly number[], std: readonly number[]): ImageTensor {
  const [channels = 0] = image.shape;
  if (image.shape.length !== 3) {
    throw new RangeError(`image must have the axes channels, height, width, got the shape ${image.shape.join("x")}`);
  }
  if (mean.length !== channels || !mean.every(Number.isFinite)) {
    throw new RangeError(`mean must hold ${channels} finite numbers, one a channel, got [${mean.join(", ")}]`);
  }
  if (std.length !== channels || !std.every((value) => Number.isFinite(value) && value !== 0)) {
    throw new RangeError(
      `std must hold ${channels} finite numbers other than 0, one a channel, got [${std.join(", ")}]`,
    );
  }
  const pixels = image.data.length / channels;
  const data = image.data.map((value, i) => {
    const channel = Math.floor(i / pixels);
    return (value - (mean[channel] ?? 0)) / (std[channel] ?? 1);
  });
  return { shape: image.shape, data };
}
