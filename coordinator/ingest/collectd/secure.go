package collectd

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
)

var (
	errSignature = errors.New("the signature is wrong")
	errDecrypt   = errors.New("it cannot be decrypted")
)

// verify checks a signature of all that follows it in the packet.
func (r *reader) verify(signature, signed []byte) error {
	if len(signature) <= sha256.Size {
		return errPart
	}
	sum, user := signature[:sha256.Size], signature[sha256.Size:]
	password, err := r.passwords.find(string(user))
	if err != nil {
		return err
	}
	mac := hmac.New(sha256.New, []byte(password))
	mac.Write(user)
	mac.Write(signed)
	if !hmac.Equal(sum, mac.Sum(nil)) {
		return errSignature
	}
	return nil
}

// decrypt gives the parts in an encrypted one. The format is collectd's: no key
// derivation but SHA-256, and a mode and a checksum of their time.
func (r *reader) decrypt(content []byte) ([]byte, error) {
	if len(content) < 2 {
		return nil, errPart
	}
	n := int(binary.BigEndian.Uint16(content))
	content = content[2:]
	if len(content) < n+aes.BlockSize+sha1.Size {
		return nil, errPart
	}
	password, err := r.passwords.find(string(content[:n]))
	if err != nil {
		return nil, err
	}
	iv, secret := content[n:n+aes.BlockSize], content[n+aes.BlockSize:]
	key := sha256.Sum256([]byte(password))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(secret))
	applyOFB(block, iv, plain, secret)
	sum := sha1.Sum(plain[sha1.Size:])
	if subtle.ConstantTimeCompare(sum[:], plain[:sha1.Size]) != 1 {
		return nil, errDecrypt
	}
	return plain[sha1.Size:], nil
}

// applyOFB encrypts or decrypts in output feedback mode, which the standard library
// wants no new use of and collectd sends.
func applyOFB(block cipher.Block, iv, dst, src []byte) {
	stream := bytes.Clone(iv)
	for len(src) > 0 {
		block.Encrypt(stream, stream)
		n := subtle.XORBytes(dst, src, stream)
		dst, src = dst[n:], src[n:]
	}
}
