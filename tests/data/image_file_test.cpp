#include "data/readers.h"

#include <gtest/gtest.h>
#include <stb/stb_image_write.h>

#include <fstream>
#include <memory>

#include "framework/core/error.h"
#include "tests/support/images.h"
#include "tests/support/temporary_directory.h"

// In stb_image_write's implementation, without a declaration.
extern "C" unsigned char* stbi_zlib_compress(unsigned char* data, int size, int* compressed, int quality);

namespace adwp::test {
namespace {

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string big_endian(std::size_t value) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(value >> shift);
  return text;
}

// A chunk of a PNG, with its checksum (CRC-32, bit by bit).
std::string chunk(const std::string& name_and_data) {
  std::uint32_t crc = ~0u;
  for (const unsigned char byte : name_and_data) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
  }
  return big_endian(name_and_data.size() - 4) + name_and_data + big_endian(~crc);
}

class ImageFile : public testing::Test {
 protected:
  std::filesystem::path write(const std::string& bytes) const {
    std::ofstream(path(), std::ios::binary) << bytes;
    return path();
  }
  std::filesystem::path path() const { return folder_.path() / "image"; }

 private:
  TemporaryDirectory folder_;
};

// A PNG of 8 x 8 pixels whose compressed stream gives `bytes`.
std::string png_with_stream(std::vector<unsigned char> stream, const std::string& good) {
  int length = 0;
  const std::unique_ptr<unsigned char, void (*)(void*)> compressed(
      stbi_zlib_compress(stream.data(), static_cast<int>(stream.size()), &length, 8), std::free);
  const std::string data(reinterpret_cast<const char*>(compressed.get()), static_cast<std::size_t>(length));
  return good.substr(0, good.find("IDAT") - 4) + chunk("IDAT" + data) + good.substr(good.find("IEND") - 4);
}

TEST_F(ImageFile, APngThatUnpacksWithoutEndCostsNoMoreThanItsPixels) {
  write_png(path(), 8, 8, 3);
  const std::string good = contents(path());
  EXPECT_NO_THROW(data::decode_image(write(png_with_stream(std::vector<unsigned char>(8 * 25), good)), 3));
  const std::string bomb = png_with_stream(std::vector<unsigned char>(8 << 20), good);
  EXPECT_LT(bomb.size(), 100'000u);
  try {
    EXPECT_EQ(data::decode_image(write(bomb), 3).pixels.size(), 8u * 8 * 3);  // libpng stops there
  } catch (const Error&) {                                                    // stb_image does not
  }
}

TEST_F(ImageFile, APngWithoutItsEndIsReadIfAllItsPixelsAreThere) {
  write_png(path(), 8, 8, 3);
  const std::string good = contents(path());
  const std::vector<std::uint8_t> pixels = data::decode_image(path(), 3).pixels;
  const std::size_t end = good.find("IEND") - 4;
  for (const std::size_t size : {end, end + 3, end + 8, good.size() - 1}) {
    EXPECT_TRUE(data::decode_image(write(good.substr(0, size)), 3).pixels == pixels) << size;
  }
  for (const std::size_t size : {good.find("IDAT") - 4, good.find("IDAT") + 4, good.find("IDAT") + 10}) {
    EXPECT_THROW(data::decode_image(write(good.substr(0, size)), 3), Error) << size;
  }
  std::string wrong = good.substr(0, end);
  wrong.back() ^= 1;  // the checksum of the pixels
  EXPECT_THROW(data::decode_image(write(wrong), 3), Error);
}

TEST_F(ImageFile, LargeImagesOfAllKindsAreDecoded) {
  const std::vector<unsigned char> pixels(4 * 1000 * 900, 77);
  for (int channels = 1; channels <= 4; ++channels) {
    stbi_write_png(path().c_str(), 1000, 900, channels, pixels.data(), 1000 * channels);
    EXPECT_EQ(data::decode_image(path(), 3).pixels.size(), 2'700'000u);
    stbi_write_jpg(path().c_str(), 1000, 900, channels, pixels.data(), 95);
    EXPECT_EQ(data::decode_image(path(), 1).pixels.size(), 900'000u);
  }
}

TEST_F(ImageFile, AJpegOfEndlessScansIsRefused) {
  const std::vector<unsigned char> pixels(8 * 8 * 3, 77);
  stbi_write_jpg(path().c_str(), 8, 8, 3, pixels.data(), 95);
  const std::string good = contents(path());
  EXPECT_NO_THROW(data::decode_image(write(good), 3));
  const std::size_t scan = good.find("\xff\xda"), end = good.size() - 2;
  std::string many = good.substr(0, end);
  for (int i = 0; i < 120; ++i) many += good.substr(scan, end - scan);
  try {
    data::decode_image(write(many + good.substr(end)), 3);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("scans"), std::string::npos) << error.what();
  }
}

// What the file lacks must not come from what memory held before.
TEST_F(ImageFile, AJpegWithoutItsTablesOrItsEndReadsTheSameEachTime) {
  std::vector<unsigned char> pixels;
  for (int i = 0; i < 64 * 64 * 3; ++i) pixels.push_back(static_cast<unsigned char>(i * 37));
  stbi_write_jpg(path().c_str(), 64, 64, 3, pixels.data(), 95);
  const std::string good = contents(path());
  const std::size_t tables = good.find("\xff\xc4"), scan = good.find("\xff\xda");
  for (const std::string& bad :
       {good.substr(0, tables) + good.substr(scan), good.substr(0, good.size() * 2 / 3)}) {
    std::vector<std::vector<std::uint8_t>> read;
    for (int i = 0; i < 4; ++i) {
      if (i % 2 == 1) data::decode_image(write(good), 3);  // leaves its tables and pixels in freed memory
      try {
        read.push_back(data::decode_image(write(bad), 3).pixels);
      } catch (const Error&) {
        read.emplace_back();
      }
      EXPECT_EQ(read.back(), read.front());
    }
  }
}

// stb_image writes such a table behind the end of its own.
TEST_F(ImageFile, AHuffmanTableThatOverflowsIsRefused) {
  const std::vector<unsigned char> pixels(8 * 8 * 3, 77);
  stbi_write_jpg(path().c_str(), 8, 8, 3, pixels.data(), 95);
  const std::string good = contents(path());
  const std::size_t scan = good.find("\xff\xda");
  const auto with_table = [&](int longest) {  // a further one, of 255 codes and `longest` of 16 bits
    std::string table = std::string("\xff\xc4", 2) + big_endian(2 + 17 + 255 + longest).substr(2) + '\3';
    table += std::string(14, '\0') + '\xff' + static_cast<char>(longest) + std::string(255 + longest, '\0');
    return good.substr(0, scan) + table + good.substr(scan);
  };
  EXPECT_NO_THROW(data::decode_image(write(with_table(1)), 3));
  for (const std::string& bytes : {with_table(2), with_table(255)}) {
    try {
      data::decode_image(write(bytes), 3);
      FAIL();
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("Huffman"), std::string::npos) << error.what();
    }
  }
  // What looks like one inside of a segment is none.
  const std::string inside = std::string("\xff\xe5\0\x1d", 4) + "\xff\xc4\x7f\x7f" + std::string(23, '\x7f');
  EXPECT_NO_THROW(data::decode_image(write(good.substr(0, scan) + inside + good.substr(scan)), 3));
}

TEST_F(ImageFile, SidesAreBounded) {
  write_png(path(), 8, 8, 3);
  const std::string png = contents(path());
  const std::size_t head = png.find("IHDR"), behind = head + 4 + 13 + 4;
  const auto of_size = [&](std::size_t width, std::size_t height) {
    return png.substr(0, head - 4) +
           chunk("IHDR" + big_endian(width) + big_endian(height) + png.substr(head + 12, 5)) +
           png.substr(behind);
  };
  EXPECT_NO_THROW(data::decode_image(write(of_size(8, 8)), 3));
  for (const auto& [width, height] : {std::pair(20'000, 5001), std::pair(1 << 30, 1 << 30)}) {
    try {
      data::decode_image(write(of_size(width, height)), 3);
      FAIL() << width << " x " << height;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("100 million"), std::string::npos) << error.what();
    }
  }
}

// EXIF's orientations, told by where a bright corner comes to stand: stored at the top left of 16 x 8 pixels.
TEST_F(ImageFile, PhotosStandUprightAsExifSays) {
  std::vector<unsigned char> pixels(16 * 8 * 3, 0);
  for (int y = 0; y < 4; ++y) std::fill_n(pixels.begin() + y * 16 * 3, 4 * 3, 255);
  stbi_write_jpg(path().c_str(), 16, 8, 3, pixels.data(), 100);
  const std::string plain = contents(path());
  const auto with = [&](char orientation) {
    const std::string tiff = std::string("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0", 19) +
                             orientation + std::string("\0\0\0\0\0\0", 6);
    const std::string exif = std::string("Exif\0\0", 6) + tiff;
    return plain.substr(0, 2) + "\xff\xe1" + big_endian(exif.size() + 2).substr(2) + exif + plain.substr(2);
  };
  struct Expected {
    bool turned, bottom, right;
  };
  const Expected expected[] = {{false, false, false}, {false, false, true}, {false, true, true},
                               {false, true, false},  {true, false, false}, {true, false, true},
                               {true, true, true},    {true, true, false}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Expected& e = expected[orientation - 1];
    const data::DecodedImage image = data::decode_image(write(with(static_cast<char>(orientation))), 1);
    ASSERT_EQ(image.height, e.turned ? 16 : 8) << orientation;
    const std::int64_t y = e.bottom ? image.height - 2 : 1, x = e.right ? image.width - 2 : 1;
    EXPECT_GT(image.pixels[y * image.width + x], 200) << orientation;
    EXPECT_LT(image.pixels[(image.height - 1 - y) * image.width + image.width - 1 - x], 50) << orientation;
    const data::DecodedImage stored = data::decode_image(path(), 1, data::Orientation::ignore);
    EXPECT_EQ(stored.height, 8);
    EXPECT_GT(stored.pixels[17], 200);
  }
}

}  // namespace
}  // namespace adwp::test
