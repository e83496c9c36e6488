// The types of Nest's GraphQL packages import peers that are optional and not installed.

declare module '@apollo/gateway' {
  export type GatewayConfig = object
}

declare module '@mercuriusjs/gateway' {
  export type MercuriusGatewayOptions = object
}

declare module 'ts-morph' {
  export type ClassDeclarationStructure = object
  export type EnumDeclarationStructure = object
  export type InterfaceDeclarationStructure = object
  export type MethodDeclarationStructure = object
  export type MethodSignatureStructure = object
  export type OptionalKind<Structure> = Partial<Structure>
  export type ParameterDeclarationStructure = object
  export type PropertyDeclarationStructure = object
  export type PropertySignatureStructure = object
  export type SourceFile = object
  export type TypeAliasDeclarationStructure = object
}
