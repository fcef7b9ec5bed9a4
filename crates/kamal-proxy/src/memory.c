/* Copying and comparing memory where musl does it a few bytes at a time.
 *
 * What a proxy copies is short: names, values, numbers of a log line. musl's memcpy for x86-64 begins a string
 * instruction for each of them, which takes longer than the copy; it was an eighth of the proxy's time. SSE2 is part of
 * x86-64, so nothing is asked of the processor at run time.
 */

#include <emmintrin.h>
#include <stddef.h>
#include <stdint.h>

/* From here on the processor's own way is the fastest. */
#define LONG 2048

typedef uint16_t __attribute__((aligned(1), may_alias)) u16;
typedef uint32_t __attribute__((aligned(1), may_alias)) u32;
typedef uint64_t __attribute__((aligned(1), may_alias)) u64;

static inline __m128i load(const unsigned char *from) { return _mm_loadu_si128((const __m128i *)from); }
static inline void store(unsigned char *to, __m128i what) { _mm_storeu_si128((__m128i *)to, what); }

/* Up to 128 bytes: everything is read before anything is written, so the two may overlap. */
static inline void copy_short(unsigned char *to, const unsigned char *from, size_t n)
{
	if (n > 64) {
		__m128i a = load(from), b = load(from + 16), c = load(from + 32), d = load(from + 48);
		__m128i e = load(from + n - 64), f = load(from + n - 48), g = load(from + n - 32), h = load(from + n - 16);
		store(to, a), store(to + 16, b), store(to + 32, c), store(to + 48, d);
		store(to + n - 64, e), store(to + n - 48, f), store(to + n - 32, g), store(to + n - 16, h);
	} else if (n > 32) {
		__m128i a = load(from), b = load(from + 16), c = load(from + n - 32), d = load(from + n - 16);
		store(to, a), store(to + 16, b), store(to + n - 32, c), store(to + n - 16, d);
	} else if (n >= 16) {
		__m128i a = load(from), b = load(from + n - 16);
		store(to, a), store(to + n - 16, b);
	} else if (n >= 8) {
		uint64_t a = *(const u64 *)from, b = *(const u64 *)(from + n - 8);
		*(u64 *)to = a, *(u64 *)(to + n - 8) = b;
	} else if (n >= 4) {
		uint32_t a = *(const u32 *)from, b = *(const u32 *)(from + n - 4);
		*(u32 *)to = a, *(u32 *)(to + n - 4) = b;
	} else if (n >= 2) {
		uint16_t a = *(const u16 *)from, b = *(const u16 *)(from + n - 2);
		*(u16 *)to = a, *(u16 *)(to + n - 2) = b;
	} else if (n) {
		*to = *from;
	}
}

/* More than 128 bytes, towards higher addresses; the last 64 are read first, as they may be written over. */
static inline void copy_up(unsigned char *to, const unsigned char *from, size_t n)
{
	__m128i e = load(from + n - 64), f = load(from + n - 48), g = load(from + n - 32), h = load(from + n - 16);
	unsigned char *end = to + n;
	for (; to + 64 < end; to += 64, from += 64) {
		__m128i a = load(from), b = load(from + 16), c = load(from + 32), d = load(from + 48);
		store(to, a), store(to + 16, b), store(to + 32, c), store(to + 48, d);
	}
	store(end - 64, e), store(end - 48, f), store(end - 32, g), store(end - 16, h);
}

static inline void copy_down(unsigned char *to, const unsigned char *from, size_t n)
{
	__m128i e = load(from), f = load(from + 16), g = load(from + 32), h = load(from + 48);
	for (; n > 64; n -= 64) {
		__m128i a = load(from + n - 64), b = load(from + n - 48), c = load(from + n - 32), d = load(from + n - 16);
		store(to + n - 64, a), store(to + n - 48, b), store(to + n - 32, c), store(to + n - 16, d);
	}
	store(to, e), store(to + 16, f), store(to + 32, g), store(to + 48, h);
}

void *memmove(void *to, const void *from, size_t n)
{
	if (n <= 128)
		copy_short(to, from, n);
	else if ((uintptr_t)to - (uintptr_t)from < n)
		copy_down(to, from, n);
	else
		copy_up(to, from, n);
	return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	if (n <= 128) {
		copy_short(to, from, n);
	} else if (n <= LONG) {
		copy_up(to, from, n);
	} else {
		void *at = to;
		__asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
	}
	return to;
}

void *memset(void *to, int value, size_t n)
{
	unsigned char *at = to, *end = at + n;
	__m128i all = _mm_set1_epi8((char)value);
	if (n < 16) {
		uint64_t eight = 0x0101010101010101u * (unsigned char)value;
		if (n >= 8)
			*(u64 *)at = eight, *(u64 *)(end - 8) = eight;
		else if (n >= 4)
			*(u32 *)at = (uint32_t)eight, *(u32 *)(end - 4) = (uint32_t)eight;
		else if (n >= 2)
			*(u16 *)at = (uint16_t)eight, *(u16 *)(end - 2) = (uint16_t)eight;
		else if (n)
			*at = (unsigned char)value;
	} else if (n <= LONG) {
		for (; at + 16 < end; at += 16)
			store(at, all);
		store(end - 16, all);
	} else {
		__asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(value) : "memory");
	}
	return to;
}

int memcmp(const void *left, const void *right, size_t n)
{
	const unsigned char *a = left, *b = right;
	for (; n >= 16; n -= 16, a += 16, b += 16) {
		unsigned differ = 0xffffu ^ (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(load(a), load(b)));
		if (differ) {
			int at = __builtin_ctz(differ);
			return a[at] - b[at];
		}
	}
	if (n >= 8 && *(const u64 *)a == *(const u64 *)b)
		n -= 8, a += 8, b += 8;
	for (; n; n--, a++, b++)
		if (*a != *b)
			return *a - *b;
	return 0;
}

int bcmp(const void *left, const void *right, size_t n) { return memcmp(left, right, n); }
