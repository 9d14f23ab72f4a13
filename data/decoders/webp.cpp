// WebP through libwebp: of an animation the first frame.
#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>

#include "data/decoders/decoder.h"

namespace adwp::data {
namespace {

int orientation_of(const WebPDemuxer* file) {
  WebPChunkIterator chunk;
  if (WebPDemuxGetChunk(file, "EXIF", 1, &chunk) == 0) return 1;
  const int orientation = exif_orientation({chunk.chunk.bytes, chunk.chunk.size});
  WebPDemuxReleaseChunkIterator(&chunk);
  return orientation;
}

}  // namespace

Picture decode_webp(Bytes file, bool decodes) {
  const WebPData data{file.data(), file.size()};
  const std::unique_ptr<WebPDemuxer, void (*)(WebPDemuxer*)> parts(WebPDemux(&data), WebPDemuxDelete);
  if (!parts) throw BadImage("it is a damaged or truncated WebP");
  Picture picture;
  picture.width = WebPDemuxGetI(parts.get(), WEBP_FF_CANVAS_WIDTH);
  picture.height = WebPDemuxGetI(parts.get(), WEBP_FF_CANVAS_HEIGHT);
  picture.orientation = orientation_of(parts.get());
  require_decodable(picture.height, picture.width);
  if (!decodes) return picture;
  WebPIterator frame;
  if (WebPDemuxGetFrame(parts.get(), 1, &frame) == 0) throw BadImage("it is a WebP without a picture");
  picture.pixels.resize(std::size_t{3} * picture.height * picture.width);
  // A frame may be smaller than the canvas, which is black around it.
  const bool fits =
      frame.x_offset + frame.width <= picture.width && frame.y_offset + frame.height <= picture.height;
  const std::size_t first = std::size_t{3} * (frame.y_offset * picture.width + frame.x_offset);
  const bool done =
      fits && WebPDecodeRGBInto(frame.fragment.bytes, frame.fragment.size, picture.pixels.data() + first,
                                picture.pixels.size() - first, 3 * picture.width) != nullptr;
  WebPDemuxReleaseIterator(&frame);
  if (!done) throw BadImage("it is a damaged or truncated WebP");
  return picture;
}

}  // namespace adwp::data
