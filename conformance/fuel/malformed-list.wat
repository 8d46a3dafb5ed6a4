;; So is a list that is not aligned, or does not lie in memory.
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "run") (param $a i32) (param $b i32) (result i32)
      (i32.store (i32.const 0) (local.get $a))
      (i32.store (i32.const 4) (local.get $b))
      (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "run") (param "a" u32) (param "b" u32) (result (list u32))
    (canon lift (core func $i "run") (memory (core memory $i "memory")))))
