/* Holds src/memory.c against the C library, under other names. */

#define memcpy own_memcpy
#define memmove own_memmove
#define memset own_memset
#define memcmp own_memcmp
#define bcmp own_bcmp
#include "../src/memory.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef bcmp

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE 9000
#define ROUNDS 400000

static unsigned char source[SIZE], own[SIZE], expected[SIZE];

static int sign(int x) { return (x > 0) - (x < 0); }

int main(void)
{
	srand(1);
	for (int i = 0; i < SIZE; i++)
		source[i] = (unsigned char)rand();
	for (int round = 0; round < ROUNDS; round++) {
		size_t n = (size_t)rand() % (round % 3 ? 200 : 4200), from = (size_t)rand() % 300, to = (size_t)rand() % 300;
		memcpy(own, source, SIZE);
		memcpy(expected, source, SIZE);
		const char *what = "memcpy";
		int wrong = 0;
		switch (round % 4) {
		case 0:
			wrong = own_memcpy(own + to, source + from, n) != own + to;
			memcpy(expected + to, source + from, n);
			break;
		case 1:
			what = "memmove";
			wrong = own_memmove(own + to, own + from, n) != own + to;
			memmove(expected + to, expected + from, n);
			break;
		case 2:
			what = "memset";
			wrong = own_memset(own + to, round, n) != own + to;
			memset(expected + to, round, n);
			break;
		default:
			what = "memcmp";
			if (n && round % 8 == 3)
				expected[to + (size_t)rand() % n] ^= (unsigned char)rand();
			wrong = sign(own_memcmp(own + to, expected + to, n)) != sign(memcmp(own + to, expected + to, n));
			memcpy(expected, own, SIZE);
		}
		if (wrong || memcmp(own, expected, SIZE)) {
			printf("%s: %zu bytes from %zu to %zu\n", what, n, from, to);
			return 1;
		}
	}
	return 0;
}
