package block

import "github.com/klauspost/compress/zstd"

// zstdWindow is how far back a block compressed by zstd refers at most.
const zstdWindow = 1 << 20

// compressor is zstd, made when first needed: it takes memory that few uses of
// an Encoder call for.
type compressor struct {
	encoder *zstd.Encoder
	out     []byte
}

// compress gives text as one frame, valid until the next call.
func (c *compressor) compress(text []byte) []byte {
	if c.encoder == nil {
		var err error
		c.encoder, err = zstd.NewWriter(nil,
			zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBetterCompression),
			zstd.WithWindowSize(zstdWindow), zstd.WithLowerEncoderMem(true),
			zstd.WithEncoderCRC(false)) // whoever keeps blocks has sums
		if err != nil {
			panic(err) // options are constant
		}
	}
	c.out = c.encoder.EncodeAll(text, c.out[:0])
	return c.out
}

// expander is the inverse of compressor.
type expander struct{ decoder *zstd.Decoder }

// expand fills dst from a frame; ok is false unless it fills it exactly. It
// takes no memory beside the window.
func (x *expander) expand(dst, p []byte) (_ []byte, ok bool) {
	if x.decoder == nil {
		var err error
		x.decoder, err = zstd.NewReader(nil,
			zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			panic(err) // options are constant
		}
	}
	out, err := x.decoder.DecodeAll(p, dst[:0:len(dst)])
	return dst, err == nil && len(out) == len(dst)
}
