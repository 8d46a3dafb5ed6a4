;; Asks for the environment, and then gives its text back.
(component
  (import "wasi:cli/environment@0.2.0" (instance $host
    (export "get-environment" (func (result (list (tuple string string)))))))
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
  (core func $ask (canon lower (func $host "get-environment") (memory $linear) (realloc $realloc)))
  (core module $m
    (import "memory" "memory" (memory 1))
    (import "host" "ask" (func $ask (param i32)))
    (func $give (param $at i32) (param $len i32) (result i32)
      (i32.store (i32.const 16) (local.get $at))
      (i32.store (i32.const 20) (local.get $len))
      (i32.const 16))
    (func (export "run") (param $at i32) (param $len i32) (result i32)
      (call $ask (i32.const 32))
      (call $give (local.get $at) (local.get $len))))
  (core instance $i (instantiate $m (with "memory" (instance $memory)) (with "host" (instance (export "ask" (func $ask))))))
  (func (export "run") (param "text" string) (result string)
    (canon lift (core func $i "run") (memory $linear) (realloc $realloc))))
