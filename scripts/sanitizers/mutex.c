// Shows the thread sanitizer what Swift's Mutex does. Preloaded by scripts/sanitize.sh.
//
// On Linux a Mutex is an atomic word (inlined, so instrumented) and, where threads meet, two functions of the Swift
// library, which is not instrumented. Without this the sanitizer knows nothing of a lock that had to be waited for,
// and takes whatever it guards for a race. A suppression would have to hide all that is done under a lock.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>

// In the sanitizer's runtime; absent in programs without it that are started on the way.
void __tsan_acquire(void *address) __attribute__((weak));
void __tsan_release(void *address) __attribute__((weak));

// Synchronization._MutexHandle._lockSlow(UInt32) and ._unlockSlow(), with self as Swift passes it.
#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *self
typedef SWIFT void (*Lock)(uint32_t, SELF);
typedef SWIFT void (*Unlock)(SELF);

SWIFT void lock_slow(uint32_t thread, SELF) __asm__("$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF");
SWIFT void unlock_slow(SELF) __asm__("$s15Synchronization12_MutexHandleV11_unlockSlowyyF");

SWIFT void lock_slow(uint32_t thread, SELF) {
  ((Lock)dlsym(RTLD_NEXT, "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"))(thread, self);
  if (__tsan_acquire) __tsan_acquire(self);
}

SWIFT void unlock_slow(SELF) {
  if (__tsan_release) __tsan_release(self);
  ((Unlock)dlsym(RTLD_NEXT, "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"))(self);
}
