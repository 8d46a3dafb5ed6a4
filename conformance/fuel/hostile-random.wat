;; Asks for random bytes.
(component
  (import "wasi:random/random@0.2.0" (instance $host
    (export "get-random-u64" (func (result u64)))))
  (core module $memory
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param $old i32) (param $old-size i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (local.set $at
        (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (local.get $at)))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $linear))
  (alias core export $memory "realloc" (core func $realloc))
  (core func $ask (canon lower (func $host "get-random-u64")))
  (core module $m
    (import "memory" "memory" (memory 1))
    (import "host" "ask" (func $ask (result i64)))
    (func $give (param $at i32) (param $len i32) (result i32)
      (i32.store (i32.const 16) (local.get $at))
      (i32.store (i32.const 20) (local.get $len))
      (i32.const 16))
    (func (export "run") (param $at i32) (param $len i32) (result i32)
      ;; As eight letters, so that it is text.
      (i64.store (i32.const 64)
        (i64.or (i64.and (call $ask) (i64.const 0x0f0f0f0f0f0f0f0f)) (i64.const 0x4040404040404040)))
      (call $give (i32.const 64) (i32.const 8))))
  (core instance $i (instantiate $m (with "memory" (instance $memory)) (with "host" (instance (export "ask" (func $ask))))))
  (func (export "run") (param "text" string) (result string)
    (canon lift (core func $i "run") (memory $linear) (realloc $realloc))))
