;; The operators of i32 that extend a sign.
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "run") (param $a i32) (result i32)
      (i32.store (i32.const 0) (i32.const 16))
      (i32.store (i32.const 4) (i32.const 2))
      (i32.store offset=16 (i32.const 0) (i32.extend8_s (local.get $a)))
      (i32.store offset=20 (i32.const 0) (i32.extend16_s (local.get $a)))
      (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "run") (param "a" u32) (result (list u32))
    (canon lift (core func $i "run") (memory (core memory $i "memory")))))
