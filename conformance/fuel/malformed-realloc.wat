;; Memory for an argument that is outside, or not aligned, is a trap.
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (if (result i32) (i32.eq (local.get 3) (i32.const 4)) (then (i32.const 65533)) (else (i32.const 65532))))
    (func (export "run") (param i32 i32) (result i32) (local.get 1)))
  (core instance $i (instantiate $m))
  (func (export "run") (param "x" (list u32)) (result u32)
    (canon lift (core func $i "run") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
