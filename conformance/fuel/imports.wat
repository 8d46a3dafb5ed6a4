;; Calls another package: in a loop, with bytes, and to its end.
(component
  (import "demo:imported/ops@1.0.0" (instance $ops
    (export "increment" (func (param "n" u32) (result u32)))
    (export "echo" (func (param "bytes" (list u8)) (result (list u8))))
    (export "fail" (func (param "n" u32) (result u32)))))
  (core module $libc
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param $old i32) (param $old-size i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (if (i32.gt_u (global.get $next) (i32.mul (memory.size) (i32.const 65536)))
        (then (if (i32.eq (i32.const -1) (memory.grow (i32.add (i32.const 1) (i32.div_u (local.get $size) (i32.const 65536)))))
          (then (unreachable)))))
      (local.get $at)))
  (core instance $libc (instantiate $libc))
  (alias core export $libc "memory" (core memory $memory))
  (core func $increment (canon lower (func $ops "increment")))
  (core func $echo (canon lower (func $ops "echo") (memory $memory) (realloc (core func $libc "realloc"))))
  (core func $fail (canon lower (func $ops "fail")))
  (core module $m
    (import "libc" "memory" (memory 1))
    (import "ops" "increment" (func $increment (param i32) (result i32)))
    (import "ops" "echo" (func $echo (param i32 i32 i32)))
    (import "ops" "fail" (func $fail (param i32) (result i32)))
    ;; Adds one as often as its argument says.
    (func (export "count") (param $n i32) (result i32) (local $sum i32)
      (block $end
        (loop $next
          (br_if $end (i32.eqz (local.get $n)))
          (local.set $sum (call $increment (local.get $sum)))
          (local.set $n (i32.sub (local.get $n) (i32.const 1)))
          (br $next)))
      (local.get $sum))
    (func (export "echo") (param $at i32) (param $count i32) (result i32)
      (call $echo (local.get $at) (local.get $count) (i32.const 16))
      (i32.const 16))
    (func (export "fail") (param $n i32) (result i32) (call $fail (local.get $n))))
  (core instance $i (instantiate $m
    (with "libc" (instance $libc))
    (with "ops" (instance
      (export "increment" (func $increment)) (export "echo" (func $echo)) (export "fail" (func $fail))))))
  (func $count (param "n" u32) (result u32) (canon lift (core func $i "count")))
  (func $twice (param "bytes" (list u8)) (result (list u8))
    (canon lift (core func $i "echo") (memory $memory) (realloc (core func $libc "realloc"))))
  (func $give-up (param "n" u32) (result u32) (canon lift (core func $i "fail")))
  (instance $own
    (export "run" (func $count))
    (export "echo" (func $twice))
    (export "fail" (func $give-up)))
  (export "demo:imports/ops@1.0.0" (instance $own)))
