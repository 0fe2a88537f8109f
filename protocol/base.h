/*
 * base.h - the few macros everyone may use. No function, no type, no state.
 */
#ifndef PROTOCOL_BASE_H
#define PROTOCOL_BASE_H

/* The caller must look at the result; ignoring it is written (void). */
#define MUST_CHECK __attribute__((warn_unused_result))

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* A local that cleans up after itself: CLEANUP(fn) struct x *x = NULL;
 * fn gets the address of the variable. Leaving with the value: TAKE(x). */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* The pointer's value; the variable is NULL afterwards. */
#define TAKE(p)                                                                                    \
	__extension__({                                                                            \
		__typeof__(p) taken_ = (p);                                                        \
		(p) = NULL;                                                                        \
		taken_;                                                                            \
	})

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#endif
