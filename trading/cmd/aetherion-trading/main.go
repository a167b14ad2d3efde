// Command aetherion-trading is the Trading Service.
package main

func main() {}
